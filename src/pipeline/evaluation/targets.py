"""From a manifest to what a benchmark predicts: classes, labels, and who was left out and why."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.manifests.vocabulary import ABSENT, FINDINGS, PRESENT, UNCERTAIN, UNKNOWN, finding_column
from pipeline.records.errors import UserError
from pipeline.settings.benchmarks import AttributeTarget, BenchmarkSettings, FindingsTarget
from pipeline.settings.keys import nearest

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1

Columns = dict[str, list[str | None]]


@dataclass(frozen=True)
class Labels:
    """Hold a benchmark's labels for the images of an index, in the index's order."""

    classes: tuple[str, ...]
    """Names of the C classes."""
    values: NDArray[np.int8]
    """[N, C]: 1 positive, 0 negative, -1 ignored."""
    excluded: NDArray[np.object_]
    """[N] why an image does not take part; empty text for those that do."""

    def taking_part(self) -> NDArray[np.bool_]:
        """Return [N], true for the images that take part."""
        return np.asarray(self.excluded == "")

    def count_excluded(self, rows: NDArray[np.bool_]) -> dict[str, int]:
        """Count the reasons among the given rows."""
        return dict(sorted(Counter(reason for reason in self.excluded[rows] if reason).items()))


def read_labels(manifest: Path, keys: list[str], benchmark: BenchmarkSettings) -> Labels:
    """Read the labels of the images named by `keys`. Raises `UserError` where the manifest lacks one."""
    target = benchmark.target
    columns = _columns_of(target)
    table = pq.read_table(manifest, columns=["key", "view", *columns])
    places = {key: place for place, key in enumerate(table["key"].to_pylist())}
    absent = [key for key in keys if key not in places]
    if absent:
        raise UserError(f"{manifest} has no row for the image '{absent[0]}' of the shards; rebuild the shards")
    rows = [places[key] for key in keys]
    read: Columns = {name: table[name].combine_chunks().take(rows).to_pylist() for name in ["view", *columns]}
    values = _attribute_labels(target, read) if isinstance(target, AttributeTarget) else _finding_labels(target, read)
    return Labels(_classes_of(target), values, _exclusions(values, read["view"], benchmark))


def _columns_of(target: FindingsTarget | AttributeTarget) -> list[str]:
    if isinstance(target, AttributeTarget):
        return [target.column] if target.column != "view" else []
    for finding in target.findings:
        if finding not in FINDINGS:
            raise UserError(f"there is no finding '{finding}' in the vocabulary{nearest(finding, FINDINGS)}")
    return [finding_column(finding) for finding in target.findings]


def _classes_of(target: FindingsTarget | AttributeTarget) -> tuple[str, ...]:
    return (f"{target.column}={target.positive}",) if isinstance(target, AttributeTarget) else target.findings


def _finding_labels(target: FindingsTarget, columns: Columns) -> NDArray[np.int8]:
    meaning = {"present": POSITIVE, "absent": NEGATIVE, "ignored": IGNORED}
    codes = {
        PRESENT: POSITIVE,
        ABSENT: NEGATIVE,
        UNCERTAIN: meaning[target.uncertain],
        UNKNOWN: meaning[target.unknown],
    }
    by_class = [[codes[str(value)] for value in columns[finding_column(finding)]] for finding in target.findings]
    return np.array(by_class, dtype=np.int8).T


def _attribute_labels(target: AttributeTarget, columns: Columns) -> NDArray[np.int8]:
    codes = {target.positive: POSITIVE, target.negative: NEGATIVE}
    return np.array([[codes.get(str(value), IGNORED)] for value in columns[target.column]], dtype=np.int8)


def _exclusions(values: NDArray[np.int8], views: list[str | None], benchmark: BenchmarkSettings) -> NDArray[np.object_]:
    without_label = (values == IGNORED).all(axis=1)
    other_view = np.array([bool(benchmark.views) and view not in benchmark.views for view in views])
    reasons = np.full(len(values), "", dtype=object)
    reasons[without_label] = "no label"
    reasons[other_view] = "other view"
    return reasons
