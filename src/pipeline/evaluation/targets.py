"""From a manifest to what a benchmark predicts: classes, labels, and who was left out and why."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.manifests.label_policies import label_rules
from pipeline.manifests.vocabulary import ABSENT, PRESENT, UNCERTAIN, UNKNOWN, finding_column
from pipeline.records.errors import UserError
from pipeline.records.metrics import LabelCounts
from pipeline.settings.benchmarks import AttributeTarget, BenchmarkSettings, FindingsTarget, LabelRule

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1

_OTHER_VIEW, _NO_LABEL = "other view", "no label"
_MEANING = {"present": POSITIVE, "absent": NEGATIVE, "ignored": IGNORED}

Columns = dict[str, NDArray[np.object_]]


@dataclass(frozen=True)
class Labels:
    """Hold a benchmark's labels for the images of an index, in the index's order."""

    classes: tuple[str, ...]
    """Names of the C classes."""
    values: NDArray[np.int8]
    """[N, C]: 1 positive, 0 negative, -1 ignored."""
    said: NDArray[np.object_]
    """[N, C] what the manifest says, before the policy: `present`, `uncertain`, …, or an attribute's value."""
    rules: Mapping[str, LabelRule]
    """How uncertain and missing labels of each class were read; empty for an attribute."""
    excluded: NDArray[np.object_]
    """[N] why an image does not take part; empty text for those that do."""

    def taking_part(self) -> NDArray[np.bool_]:
        """Return [N], true for the images that take part."""
        return np.asarray(self.excluded == "")

    def count_excluded(self, rows: NDArray[np.bool_]) -> dict[str, int]:
        """Count the reasons among the given rows."""
        return dict(sorted(Counter(reason for reason in self.excluded[rows] if reason).items()))

    def count_doubtful(self, rows: NDArray[np.bool_]) -> dict[str, LabelCounts]:
        """Count the uncertain and missing labels of each finding among the given rows that have a wanted view."""
        said = self.said[rows & (self.excluded != _OTHER_VIEW)]
        uncertain, unknown = (said == UNCERTAIN).sum(axis=0), (said == UNKNOWN).sum(axis=0)
        return {
            finding: LabelCounts(**dict(rule), n_uncertain=int(uncertain[place]), n_unknown=int(unknown[place]))
            for place, (finding, rule) in enumerate(self.rules.items())
        }


def read_labels(manifest: Path, keys: list[str], benchmark: BenchmarkSettings) -> Labels:
    """Read the labels of the images named by `keys`.

    Raises `UserError` where the manifest lacks an image, or the target's policy a finding.
    """
    target = benchmark.target
    rules = {} if isinstance(target, AttributeTarget) else label_rules(target)
    names = [target.column] if isinstance(target, AttributeTarget) else [finding_column(name) for name in rules]
    columns = _read(manifest, keys, ["view", *names])
    said = np.stack([columns[name] for name in names], axis=1)
    values = _attribute_labels(target, said) if isinstance(target, AttributeTarget) else _finding_labels(rules, said)
    return Labels(_classes_of(target), values, said, rules, _exclusions(values, columns["view"], benchmark))


def _read(manifest: Path, keys: list[str], names: list[str]) -> Columns:
    """Read columns of the manifest in the order of the keys."""
    table = pq.read_table(manifest, columns=list(dict.fromkeys(["key", *names])))
    places = {key: place for place, key in enumerate(table["key"].to_pylist())}
    absent = [key for key in keys if key not in places]
    if absent:
        raise UserError(f"{manifest} has no row for the image '{absent[0]}' of the shards; rebuild the shards")
    rows = [places[key] for key in keys]
    return {name: np.array(table[name].combine_chunks().take(rows).to_pylist(), dtype=object) for name in names}


def _classes_of(target: FindingsTarget | AttributeTarget) -> tuple[str, ...]:
    return (f"{target.column}={target.positive}",) if isinstance(target, AttributeTarget) else target.findings


def _finding_labels(rules: Mapping[str, LabelRule], said: NDArray[np.object_]) -> NDArray[np.int8]:
    values = np.full(said.shape, IGNORED, dtype=np.int8)
    values[said == PRESENT], values[said == ABSENT] = POSITIVE, NEGATIVE
    for place, rule in enumerate(rules.values()):
        values[said[:, place] == UNCERTAIN, place] = _MEANING[rule.uncertain]
        values[said[:, place] == UNKNOWN, place] = _MEANING[rule.unknown]
    return values


def _attribute_labels(target: AttributeTarget, said: NDArray[np.object_]) -> NDArray[np.int8]:
    values = np.full(said.shape, IGNORED, dtype=np.int8)
    values[said == target.positive], values[said == target.negative] = POSITIVE, NEGATIVE
    return values


def _exclusions(
    values: NDArray[np.int8], views: NDArray[np.object_], benchmark: BenchmarkSettings
) -> NDArray[np.object_]:
    reasons = np.full(len(values), "", dtype=object)
    reasons[(values == IGNORED).all(axis=1)] = _NO_LABEL
    if benchmark.views:
        reasons[~np.isin(views.astype(str), benchmark.views)] = _OTHER_VIEW
    return reasons
