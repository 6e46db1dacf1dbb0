"""The leakage audit: nothing that is trained on may be tested on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.manifests.near_identical import Fingerprints, NearPairs, near_pairs
from pipeline.records.audits import KINDS, AuditRecord, Overlap, Twins
from pipeline.records.errors import UserError
from pipeline.settings.audit import AuditSettings

AUDITED_COLUMNS = ("key", "patient", "patient_known", "study", "split", "file_state", "path", "sha256")
"""The manifest's columns that the audit reads."""

FINGERPRINT_SCHEMA = pl.Schema({"key": pl.String(), "fingerprint": pl.Binary()})
"""What the audit needs to know of a corpus's shards."""


class Part(NamedTuple):
    """Name a corpus and one of its splits."""

    corpus: str
    split: str

    def __str__(self) -> str:
        return f"{self.corpus}/{self.split}"


class Pair(NamedTuple):
    """Name two parts that one number brings together."""

    trained: Part
    tested: Part


@dataclass(frozen=True)
class Corpora:
    """Hold what is known of the corpora that are compared, by name."""

    manifests: Mapping[str, pl.DataFrame]
    """`AUDITED_COLUMNS` of each manifest."""
    fingerprints: Mapping[str, pl.DataFrame]
    """Fingerprints of the images of each corpus that has shards, of `FINGERPRINT_SCHEMA`."""
    confidential: Collection[str]
    """Corpora of which no record may name an image."""

    def rows(self, part: Part) -> pl.DataFrame:
        """Return a part's present images; those marked `excluded` are in no part."""
        of_part = (pl.col("split") == part.split) & (pl.col("file_state") == "present")
        rows = self.manifests[part.corpus].filter(of_part)
        known = self.fingerprints.get(part.corpus, pl.DataFrame(schema=FINGERPRINT_SCHEMA))
        return rows.join(known, on="key", how="left", maintain_order="left")


def audit(corpora: Corpora, pairs: Sequence[Pair], settings: AuditSettings) -> AuditRecord:
    """Count the patients, studies and images that the trained and the tested part of each pair share."""
    overlaps = tuple(_overlap(corpora, pair, settings) for pair in sorted(set(pairs)))
    return AuditRecord(
        clean=not any(overlap.shared() for overlap in overlaps),
        near_identical_distance=settings.near_identical_distance,
        compared=overlaps,
    )


def require_no_leak(record: AuditRecord) -> None:
    """Raise `UserError` naming the first pair of parts that share something that is not accepted."""
    leaking = [overlap for overlap in record.compared if overlap.leaks()]
    if leaking:
        first, more = leaking[0], len(leaking) - 1
        counts = " and ".join(f"{count} {KINDS[kind]}" for kind, count in first.leaks().items())
        also = f" ({more} more pairs leak)" if more else ""
        raise UserError(
            f"leakage: {first.trained} is trained on and {first.tested} is tested on, but they share {counts}{also}; "
            "leave the corpus out of training, take the shared patients out with corpora.<name>.splits.exclude, or "
            "name the overlap in audit.accept with the reason why it is sound"
        )


def _overlap(corpora: Corpora, pair: Pair, settings: AuditSettings) -> Overlap:
    ours, theirs = corpora.rows(pair.trained), corpora.rows(pair.tested)
    twins = _twins(ours, theirs, settings.near_identical_distance)
    nameable = not {pair.trained.corpus, pair.tested.corpus} & set(corpora.confidential)
    # Where the publisher names no patients, each image stands for one, which nothing else can share.
    named = pl.col("patient_known")
    own_file = ~pl.col("path").str.contains("#", literal=True)
    return Overlap(
        trained=str(pair.trained),
        tested=str(pair.tested),
        patients=_shared(ours.filter(named), theirs.filter(named), "patient"),
        studies=_shared(ours.filter(named), theirs.filter(named), "study"),
        identical_images=_shared(ours.filter(own_file), theirs.filter(own_file), "sha256"),
        near_identical_images=None if twins is None else len(twins),
        twins=twins if nameable else None,
        accepted=_accepted(pair, settings),
    )


def _shared(ours: pl.DataFrame, theirs: pl.DataFrame, column: str) -> int | None:
    """Count the values in both; null where one has none, so that nobody knows."""
    values = [set(rows[column].drop_nulls()) for rows in (ours, theirs)]
    return len(values[0] & values[1]) if all(values) else None


def _twins(ours: pl.DataFrame, theirs: pl.DataFrame, distance: int) -> tuple[Twins, ...] | None:
    """Return for each tested image that has any the trained image nearest to it; null without fingerprints."""
    ours, theirs = (rows.filter(pl.col("fingerprint").is_not_null()) for rows in (ours, theirs))
    if ours.is_empty() or theirs.is_empty():
        return None
    trained, tested = _fingerprints(ours), _fingerprints(theirs)
    found = [near_pairs(tested, trained, distance), near_pairs(~tested, trained, distance)]  # a negative is a copy
    return tuple(
        Twins(trained=ours["key"][one], tested=theirs["key"][other], distance=apart)
        for other, one, apart in _nearest(NearPairs(*map(np.concatenate, zip(*found, strict=True))))
    )


def _nearest(pairs: NearPairs) -> list[tuple[int, int, int]]:
    """Keep of the pairs with one first place the nearest; the lowest second place where several are as near."""
    order = np.lexsort((pairs.second, pairs.distance, pairs.first))
    firsts, leading = np.unique(pairs.first[order], return_index=True)
    chosen = order[leading]
    return list(zip(firsts.tolist(), pairs.second[chosen].tolist(), pairs.distance[chosen].tolist(), strict=True))


def _fingerprints(rows: pl.DataFrame) -> Fingerprints:
    """Return [N, 32] bytes."""
    return np.frombuffer(b"".join(rows["fingerprint"]), dtype=np.uint8).reshape(rows.height, -1)


def _accepted(pair: Pair, settings: AuditSettings) -> dict[str, str]:
    return {
        kind: overlap.reason
        for overlap in settings.accept
        if (overlap.trained, overlap.tested) == (str(pair.trained), str(pair.tested))
        for kind in overlap.kinds
    }
