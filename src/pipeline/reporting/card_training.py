"""The part of a model card that says how an encoder was trained, in words, and from what."""

from pipeline.records.runs import RunRecord
from pipeline.reporting.provenance import CorpusOrigin
from pipeline.settings.methods import CxrMimSettings, MaskedAutoencoderSettings
from pipeline.settings.pretraining import PretrainingSettings, visible_patches

_MASKING = {
    "gaze": "Patches that readers looked at (at least half of their pixels in the Otsu foreground of the gaze map) are "
    "hidden at {clinical}, as far as the total allows, and the others make up the rest.",
    "random": "All patches are hidden alike.",
}
_WEIGHTING = {
    "rescaled": "weighted by where readers looked (strength {strength:g}, temperature {temperature:g})",
    "published": "weighted by where readers looked as in the published code, where that changes next to nothing",
    "off": "weighted alike",
}
_DECODER = {
    "mae": "in which all tokens attend to each other,",
    "cross": "in which each hidden patch asks the encoded ones alone,",
}
_ADVICE = (
    "No loss reaches the class token directly, so the mean of the patch tokens is the better feature vector as long as "
    "the encoder is not trained further."
)


def method_section(settings: PretrainingSettings, record: RunRecord) -> str:
    """Say what was learnt, and how it was optimised."""
    task, patches = settings.task, settings.encoder.rows**2
    visible = visible_patches(task, patches)
    masking = f"Of the {patches} patches of an image, {patches - visible} are hidden and {visible} encoded."
    words = _mae(task) if isinstance(task, MaskedAutoencoderSettings) else _cxr_mim(task)
    return f"## Training\n{words[0]} {masking} {words[1]} {_ADVICE}\n\n{_optimisation(settings, record)}\n"


def data_section(settings: PretrainingSettings, record: RunRecord, corpora: dict[str, CorpusOrigin]) -> str:
    """Tell the train images of each corpus, and the data sets behind it with their terms."""
    lines = [
        "## Data",
        "| corpus | train images | data set | licence | access |",
        "|---|---|---|---|---|",
        *(_row(name, record.images["train"][name], corpora[name]) for name in settings.corpora),
    ]
    views = f"Views: {', '.join(settings.views)}." if settings.views else "All views."
    bad = f" {record.quarantined:,} damaged images were set aside." if record.quarantined else ""
    own = "".join(
        f" Images of `{corpus}` were normalised by mean {numbers.mean}, standard deviation {numbers.std} in training."
        for corpus, numbers in settings.normalisation.items()
    )
    return "\n".join(lines) + f"\n\nThe train splits, which are cut by patient. {views}{bad}{own}\n"


def digest_section(record: RunRecord) -> str:
    """List the digests by which the weights lead back to their origins."""
    digests = {
        "encoder weights (`model.safetensors`)": record.encoder,
        "whole model, decoder included": record.weights,
        "settings": record.settings,
        "code": record.code,
        **{f"input: {name}": digest for name, digest in record.inputs.items()},
    }
    rows = "\n".join(f"| {what} | `{digest}` |" for what, digest in digests.items())
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return f"## Digests\n| sha256 of | |\n|---|---|\n{rows}\n\nTrained on {record.device} with {versions}.\n"


def _mae(task: MaskedAutoencoderSettings) -> tuple[str, str]:
    part = "the hidden patches" if task.kept_ratio == 1 else f"{_percent(task.kept_ratio)} of the hidden patches a step"
    scale = ", each normalised by its own mean and variance" if task.norm_pix else ""
    return (
        "Masked autoencoder (He et al., CVPR 2022).",
        f"A decoder of {_blocks(task.decoder_depth)} (width {task.decoder_width}, {task.decoder_heads} heads), "
        f"{_DECODER[task.decoder]} predicts the pixels of {part}{scale}; the loss is their mean squared error.",
    )


def _cxr_mim(task: CxrMimSettings) -> tuple[str, str]:
    masking = _MASKING[task.masking].format(clinical=_percent(task.clinical_ratio))
    weighting = _WEIGHTING[task.gaze_weighting].format(strength=task.gaze_strength, temperature=task.gaze_temperature)
    blocks = ", ".join(str(tap + 1) for tap in task.taps)
    scales = ", ".join(f"{scale:g}" for scale in task.scales)
    return (
        "CXR-MIM (Zhao et al., IPMI 2025).",
        f"{masking} From the tokens after blocks {blocks}, decoders of {_blocks(task.decoder_depth)} (width "
        f"{task.decoder_width}, {task.decoder_heads} heads) predict histograms of oriented gradients of the hidden "
        f"patches ({task.orientations} orientations, {task.binning} binning) at {scales} cells per side of a patch; "
        f"the loss is the squared error, {weighting}.",
    )


def _optimisation(settings: PretrainingSettings, record: RunRecord) -> str:
    plan = settings.optimization
    early = f" of the {plan.steps:,} planned" if record.steps < plan.steps else ""
    averaged = "" if plan.average_decay is None else f" The weights are a moving average (decay {plan.average_decay})."
    low, high = settings.augmentation.crop_scale
    mirrored = ", half of them mirrored" if settings.augmentation.flip else ""
    return (
        f"AdamW, {record.steps:,}{early} steps of {plan.batch_size:,} images, peak learning rate "
        f"{plan.learning_rate:g} after {plan.warmup_steps:,} steps of warm-up, then a half cosine to "
        f"{plan.min_learning_rate:g}, weight decay {plan.weight_decay:g}, {plan.precision}, seed {settings.seed}. "
        f"Random crops of {_percent(low)} to {_percent(high)} of the area{mirrored}.{averaged} "
        "Every setting stands in the run's `settings.json`."
    )


def _row(corpus: str, images: int, origin: CorpusOrigin) -> str:
    if origin.synthetic:
        cells = ["synthetic: generated, shows nobody", "none", "open"]
    elif not origin.releases:
        cells = ["a folder of one's own, in no registry", "unknown", origin.access]
    else:
        releases = origin.releases.values()
        cells = [
            "; ".join(f"[{release.title}]({release.page}), {release.version}" for release in releases),
            "; ".join(dict.fromkeys(release.licence for release in releases)),
            origin.access,
        ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in [corpus, f"{images:,}", *cells]) + " |"


def _blocks(count: int) -> str:
    return "1 block" if count == 1 else f"{count} blocks"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
