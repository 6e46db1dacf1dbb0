"""Stage of rule write_card: the model card beside an encoder's weights."""

from pathlib import Path

from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.records.publish import publish_text
from pipeline.records.runs import RunRecord
from pipeline.reporting.model_card import foreign_card, pixels_card, random_card, trained_card
from pipeline.reporting.provenance import Provenance
from pipeline.settings.encoders import ForeignEncoderSettings, PixelsEncoderSettings
from pipeline.settings.pretraining import PretrainingSettings


def write_card(provenance: Provenance, weights: Path, record: Path | None, card: Path) -> None:
    """Publish the card of an encoder, trained or control.

    Args:
        provenance: What it was made of.
        weights: Its published weights.
        record: Record of the run that trained it; none for controls.
        card: Markdown file to publish.

    Raises:
        UserError: The weights are not those that the record names.
        ValueError: A trained encoder comes without its record, or a network without its shape.
    """
    publish_text(card, _text(provenance, file_digest(weights), record))


def _text(provenance: Provenance, digest: str, record: Path | None) -> str:
    settings = provenance.itself.settings
    if isinstance(settings, PretrainingSettings):
        if record is None:
            raise ValueError("the card of a trained encoder needs the record of its run")
        return trained_card(provenance, settings, _matching(record, digest))
    if isinstance(settings, PixelsEncoderSettings):
        return pixels_card(provenance, settings)
    if isinstance(settings, ForeignEncoderSettings):
        return foreign_card(provenance, settings, digest)
    if provenance.encoder is None:
        raise ValueError("the card of a random control needs the architecture of the run it is like")
    return random_card(provenance, settings, provenance.encoder, digest)


def _matching(path: Path, digest: str) -> RunRecord:
    record = RunRecord.model_validate_json(path.read_text())
    if record.encoder != digest:
        raise UserError(
            f"{path} names other encoder weights (sha256 {record.encoder[:12]}…) than those that are published "
            f"({digest[:12]}…); delete both and run again"
        )
    return record
