"""The model card beside an encoder's weights: what it is, how it is used, what it was made of, and on whose terms."""

from pathlib import PurePath

from pipeline.records.runs import RunRecord
from pipeline.reporting.card_terms import front_matter, terms_section
from pipeline.reporting.card_training import data_section, digest_section, method_section
from pipeline.reporting.card_use import use_section
from pipeline.reporting.provenance import Ancestor, Provenance
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.encoders import ForeignEncoderSettings, PixelsEncoderSettings, RandomEncoderSettings
from pipeline.settings.pretraining import PretrainingSettings

_TRAINED_LIMITS = """\
## Intended use and limits
Research use only, never for diagnosis. The encoder turns chest X-rays into features for probes, fine-tuning and further
pretraining. It gives no diagnosis, no text and no segmentation by itself. How well its features serve other
hospitals, devices, views, ages or groups of patients than those it was made from has to be measured before they are
relied on; whoever was rare or missing there is served worse. Weights can hold traces of single training images.
"""
_FOREIGN_LIMITS = """\
## Intended use and limits
Research use only, never for diagnosis. The weights stand here for comparison, and for others to start from; what else
they are fit for, and whom the images they were trained on show, their publisher has to say. How well their features
serve chest X-rays, of any hospital, device, view, age or group of patients, has to be measured before they are relied
on. Weights can hold traces of single training images.
"""
_RANDOM_LIMITS = """\
## Intended use and limits
For comparison only: what its features tell of an X-ray comes from the architecture, for nothing was learnt. The weights
hold no trace of any image.
"""


def trained_card(provenance: Provenance, settings: PretrainingSettings, record: RunRecord) -> str:
    """Return the card of an encoder trained here; `settings` are its run's, and `record` tells how it went."""
    encoder = settings.encoder
    corpora = ", ".join(f"`{corpus}`" for corpus in settings.corpora)
    summary = f"{_shape(encoder)}, pretrained without labels on {corpora}."
    return _card(
        provenance,
        summary,
        use_section(encoder),
        _TRAINED_LIMITS,
        method_section(settings, record),
        _beginning(provenance, settings),
        data_section(settings, record, provenance.corpora),
        terms_section(provenance),
        digest_section(record),
    )


def foreign_card(provenance: Provenance, settings: ForeignEncoderSettings, digest: str) -> str:
    """Return the card of an encoder that others trained; `digest` is the sha256 of the weights as they stand here."""
    summary = f"{_shape(settings.encoder)}, trained by others and brought into timm's format."
    origin = f"## Provenance\n{_origin(settings)}\n\nsha256 of `model.safetensors` here: `{digest}`\n"
    sections = (use_section(settings.encoder), _FOREIGN_LIMITS, origin, terms_section(provenance))
    return _card(provenance, summary, *sections)


def random_card(provenance: Provenance, settings: RandomEncoderSettings, encoder: EncoderSettings, digest: str) -> str:
    """Return the card of the untrained control, of a shape and normalisation; `digest` is the sha256 of its weights."""
    summary = f"{_shape(encoder)}, the architecture of `{settings.like}` with fresh weights: a control."
    origin = f"## Provenance\nDrawn under seed {settings.seed}. sha256 of `model.safetensors`: `{digest}`\n"
    return _card(provenance, summary, use_section(encoder), _RANDOM_LIMITS, origin, terms_section(provenance))


def pixels_card(provenance: Provenance, settings: PixelsEncoderSettings) -> str:
    """Return the card of the baseline without a network."""
    summary = f"No network: the features are the image, shrunk to {settings.side} x {settings.side} gray values."
    return _card(provenance, summary)


def _card(provenance: Provenance, summary: str, *sections: str) -> str:
    head = f"{front_matter(provenance)}# {provenance.itself.name}\n{summary}\n"
    return "\n".join([head, *sections])


def _shape(encoder: EncoderSettings) -> str:
    numbers = {"width": encoder.width, "depth": encoder.depth, "heads": encoder.heads}
    changed = "".join(f", {name} {value}" for name, value in numbers.items() if value is not None)
    channels = "1 channel" if encoder.channels == 1 else "3 channels"
    return (
        f"A vision transformer (`{encoder.architecture}`{changed}) for {channels} of {encoder.image_size} x "
        f"{encoder.image_size} pixels in patches of {encoder.patch_size}"
    )


def _beginning(provenance: Provenance, settings: PretrainingSettings) -> str:
    if not provenance.ancestors:
        return f"## Initial weights\nFresh ones, drawn under seed {settings.seed}; positions are sine-cosine, fixed.\n"
    lines = "\n".join(f"- `{ancestor.name}`: {_ancestor(ancestor)}" for ancestor in provenance.ancestors)
    return (
        f"## Initial weights\nThose of the first of these encoders, which in turn started from the next:\n\n{lines}\n\n"
        "They were converted to this encoder's channels, normalisation and image size; positions came with them and "
        "stayed fixed.\n"
    )


def _ancestor(ancestor: Ancestor) -> str:
    settings = ancestor.settings
    if isinstance(settings, PretrainingSettings):
        return f"pretrained here on {', '.join(f'`{corpus}`' for corpus in settings.corpora)}; see its own card."
    if isinstance(settings, ForeignEncoderSettings):
        return f"trained by others. {_origin(settings)}"
    return "a control without training."


def _origin(settings: ForeignEncoderSettings) -> str:
    """Say who trained an encoder and which file it is; of a file's path the name alone, since the rest is private."""
    if settings.repository is not None:
        place = f"`{settings.weights}` of `{settings.repository}` at `{settings.revision}` on the Hugging Face hub"
    else:
        place = f"the file `{PurePath(settings.file or '').name}`"
    trained_on = ", ".join(f"`{corpus}`" for corpus in settings.trained_on)
    known = f" Of the corpora here, it was trained on {trained_on}." if trained_on else ""
    return f"{settings.provenance}{known} From {place}, format `{settings.format}`, sha256 `{settings.sha256}`."
