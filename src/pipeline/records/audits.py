"""The record of the leakage audit: what each trained part shares with each part it meets in a test."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.records.errors import UserError
from pipeline.records.publish import publish_text

KINDS = {
    "patients": "patients",
    "studies": "studies",
    "identical_images": "identical images",
    "near_identical_images": "near-identical images",
}
"""What two parts can share: the fields of `Overlap`, and how a sentence calls them."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Twins(_Record):
    """Name a tested image and the trained image most like it."""

    trained: str
    """Key of the trained image."""
    tested: str
    """Key of the tested image."""
    distance: int
    """Bits in which their fingerprints, or those of one and the other's negative, differ."""


class Overlap(_Record):
    """Count what two parts share; a count is null where a part lacks what would have to be compared."""

    trained: str
    """Corpus and split that is trained on."""
    tested: str
    """Corpus and split that is tested on."""
    patients: int | None = Field(ge=0)
    """Patients in both; null where the publisher of either names none."""
    studies: int | None = Field(ge=0)
    """Studies in both; null where the publisher of either names no patients."""
    identical_images: int | None = Field(ge=0)
    """Image files in both; null where those of either were not hashed, or share a file with other images."""
    near_identical_images: int | None = Field(ge=0)
    """Tested images with a near-identical trained one; null where either has no shards."""
    twins: tuple[Twins, ...] | None
    """The near-identical images; null where a corpus of the pair is confidential."""
    accepted: dict[str, str]
    """For each kind of overlap that is known and accepted, the reason."""

    def shared(self) -> dict[str, int]:
        """Return the counts that are not 0, by kind, accepted ones included."""
        return {kind: count for kind in KINDS if (count := getattr(self, kind))}

    def leaks(self) -> dict[str, int]:
        """Return the counts that are neither 0 nor accepted, by kind."""
        return {kind: count for kind, count in self.shared().items() if kind not in self.accepted}


class AuditRecord(_Record):
    """Hold the whole audit: counts, and of images of open corpora their keys."""

    clean: bool
    """Whether no count that could be made is above 0, so that nothing had to be accepted."""
    near_identical_distance: int
    """Bits in which fingerprints of near-identical images may differ."""
    compared: tuple[Overlap, ...]
    """Every pair of parts that one number brings together."""


def write_audit(path: Path, audit: AuditRecord) -> None:
    """Publish the audit as indented JSON; equal audits give equal bytes."""
    publish_text(path, audit.model_dump_json(indent=2) + "\n")


def read_audit(path: Path) -> AuditRecord:
    """Read and validate an audit. Raises `UserError` naming the file and the first field that is wrong."""
    try:
        return AuditRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{path} is not a leakage audit: field '{field}': {first['msg']}; delete the file and run again."
        ) from error
