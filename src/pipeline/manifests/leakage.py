"""The leakage audit: nothing that is trained on may be tested on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import polars as pl

from pipeline.records.errors import UserError

Part = tuple[str, str]
"""A corpus and one of its splits."""


@dataclass(frozen=True)
class Overlap:
    """Count what two parts share."""

    trained: str
    tested: str
    patients: int
    studies: int
    identical_images: int | None
    """None where an image of either part was not hashed, so that nobody knows."""

    @property
    def leaks(self) -> bool:
        """Tell whether anything is shared."""
        return bool(self.patients or self.studies or self.identical_images)


def audit(manifests: Mapping[str, pl.DataFrame], trained: list[Part], tested: list[Part]) -> list[Overlap]:
    """Count the patients, studies and identical image files each trained part shares with each tested part."""
    return [
        _overlap(manifests, train_part, test_part)
        for train_part in sorted(set(trained))
        for test_part in sorted(set(tested))
    ]


def report(overlaps: list[Overlap]) -> dict[str, object]:
    """Return the audit as plain data: counts only, no identifiers."""
    leaking = [overlap for overlap in overlaps if overlap.leaks]
    return {"clean": not leaking, "compared": [asdict(overlap) for overlap in overlaps]}


def require_no_leak(overlaps: list[Overlap]) -> None:
    """Raise `UserError` naming the first pair of parts that share a patient, study or image file."""
    for overlap in overlaps:
        if overlap.leaks:
            raise UserError(
                f"leakage: {overlap.trained} is trained on and {overlap.tested} is tested on, but they share "
                f"{overlap.patients} patients, {overlap.studies} studies and {overlap.identical_images or 0} identical "
                "image files; leave the corpus out of training or change its splits"
            )


def _overlap(manifests: Mapping[str, pl.DataFrame], train_part: Part, test_part: Part) -> Overlap:
    ours, theirs = _rows(manifests, train_part), _rows(manifests, test_part)
    hashed = not (ours["sha256"].null_count() or theirs["sha256"].null_count())
    return Overlap(
        trained="/".join(train_part),
        tested="/".join(test_part),
        patients=_shared(ours, theirs, "patient"),
        studies=_shared(ours, theirs, "study"),
        identical_images=_shared(ours, theirs, "sha256") if hashed else None,
    )


def _shared(ours: pl.DataFrame, theirs: pl.DataFrame, column: str) -> int:
    return len(set(ours[column]) & set(theirs[column]))


def _rows(manifests: Mapping[str, pl.DataFrame], part: Part) -> pl.DataFrame:
    corpus, split = part
    return manifests[corpus].filter((pl.col("split") == split) & (pl.col("file_state") == "present"))
