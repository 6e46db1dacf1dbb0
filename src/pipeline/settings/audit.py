"""Settings of the leakage audit: what counts as the same image, and which overlaps are known and accepted."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.settings.base import Settings

PartName = Annotated[str, Field(pattern=r"^[a-z0-9_]+/(train|val|test)$")]
"""A corpus and one of its splits, such as `mimic_cxr/train`."""

OverlapKind = Literal["patients", "studies", "identical_images", "near_identical_images"]
"""What two parts can share."""


class AcceptedOverlap(Settings):
    """Let one pair of parts share something, and say why that is sound."""

    trained: PartName
    """The part that is trained on."""
    tested: PartName
    """The part that is tested on."""
    kinds: tuple[OverlapKind, ...] = Field(min_length=1)
    """What they may share."""
    reason: str = Field(min_length=1)
    """Why the numbers mean what they say all the same; stands in the report."""


class AuditSettings(Settings):
    """Say when the audit stops the build."""

    near_identical_distance: int = Field(default=31, ge=0, le=63)
    """Bits of 256 in which the fingerprints of two copies of one image may differ. On real radiographs, 31 finds
    99 % or more of the copies that were shrunk to 64 px, compressed, gamma-corrected, windowed or equalised, 88 % of
    those with local contrast equalisation and 81 % of those cut by 1 % of each side, and none of 1.4 million pairs of
    different images (`python -m benchmarks near_identical`)."""
    accept: tuple[AcceptedOverlap, ...] = ()
    """Overlaps that do not stop the build; they stand in the report with their reasons."""

    @model_validator(mode="after")
    def _each_overlap_accepted_once(self) -> "AuditSettings":
        accepted = [(overlap.trained, overlap.tested, kind) for overlap in self.accept for kind in overlap.kinds]
        for trained, tested, kind in accepted:
            if accepted.count((trained, tested, kind)) > 1:
                raise ValueError(f"accept names {kind} of {trained} and {tested} twice; keep one reason")
        return self
