"""Stage of rule evaluate_benchmark: one encoder, one benchmark, one protocol, one metric record."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import safetensors
from numpy.typing import NDArray
from pydantic import JsonValue

from pipeline.evaluation.feature_file import FeatureOrigin, read_origin
from pipeline.evaluation.fractions import patients_within
from pipeline.evaluation.intervals import evaluate_scores
from pipeline.evaluation.probe import FittedProbe, fit_probe
from pipeline.evaluation.scores import Scores, write_scores
from pipeline.evaluation.targets import Labels, read_labels
from pipeline.records.digests import file_digest, settings_digest
from pipeline.records.errors import UserError
from pipeline.records.metrics import Digests, MetricRecord, write_metric_record
from pipeline.records.versions import EVALUATION_PACKAGES, package_versions
from pipeline.settings.benchmarks import BenchmarkSettings, Probe
from pipeline.settings.probes import BootstrapSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """Name one evaluation: what is scored, how, and from which files."""

    benchmark: str
    encoder: str
    protocol: str
    settings: BenchmarkSettings
    probe: Probe
    bootstrap: BootstrapSettings
    features: Path
    index: Path
    manifest: Path
    code: str
    """Digest of the stage's code."""


@dataclass(frozen=True)
class LabelledImages:
    """Hold the N images of a corpus's shards with what a benchmark says of them, in the index's order."""

    splits: NDArray[np.object_]
    """[N] split of each image."""
    patients: NDArray[np.object_]
    """[N] patient of each image."""
    labels: Labels
    """What is predicted."""
    parts: dict[str, NDArray[np.bool_]]
    """[N] for each split: which images it contributes."""


def evaluate_benchmark(evaluation: Evaluation, record: Path, scores: Path) -> None:
    """Fit a probe on train, choose its penalty on val, score test, and publish record and scores.

    Raises:
        UserError: Features and index do not belong together, the label policy says nothing of a finding,
            or a class lacks positives or negatives in a split that needs them.
    """
    origin = _read_origin(evaluation)
    images = _read_images(evaluation)
    features = _read_features(evaluation)
    probe = _fit(evaluation, features, images)
    scored = _score(probe, features, images)
    published = _record(evaluation, origin, images, probe, scored)
    write_scores(scores, scored)
    write_metric_record(record, published)
    first = published.values[0]
    log.info(
        "%s / %s: %s %.3f", evaluation.benchmark, evaluation.encoder, f"{first.metric} {first.target}", first.value
    )


def _read_origin(evaluation: Evaluation) -> FeatureOrigin:
    origin = read_origin(evaluation.features)
    if origin.index != file_digest(evaluation.index):
        raise UserError(f"{evaluation.features} was computed from another shard index; delete it and run again")
    return origin


def _read_images(evaluation: Evaluation) -> LabelledImages:
    index = pq.read_table(evaluation.index, columns=["key", "patient", "split"])
    splits, patients = index["split"].to_numpy(), index["patient"].to_numpy()
    labels = read_labels(evaluation.manifest, index["key"].to_pylist(), evaluation.settings)
    return LabelledImages(splits, patients, labels, _parts(splits, patients, labels, evaluation))


def _parts(
    splits: NDArray[np.object_], patients: NDArray[np.object_], labels: Labels, evaluation: Evaluation
) -> dict[str, NDArray[np.bool_]]:
    """Return which images each split contributes."""
    parts = {split: (splits == split) & labels.taking_part() for split in ("train", "val", "test")}
    settings = evaluation.settings
    parts["train"] &= patients_within(patients.tolist(), settings.fraction, settings.seed)
    for split, rows in parts.items():
        if not rows.any():
            raise UserError(
                f"benchmark {evaluation.benchmark}: no image of the {split} split of {settings.corpus} has a label "
                "and a wanted view; change its target, views or fraction"
            )
    return parts


def _read_features(evaluation: Evaluation) -> NDArray[np.float32]:
    with safetensors.safe_open(evaluation.features, framework="numpy") as stream:
        if evaluation.probe.pool not in stream.keys():  # noqa: SIM118 - the stream is no mapping
            raise UserError(
                f"{evaluation.features} has no features pooled by '{evaluation.probe.pool}'; "
                f"change protocols.{evaluation.protocol}.probe.pool"
            )
        features: NDArray[np.float32] = stream.get_tensor(evaluation.probe.pool)
    return features


def _fit(evaluation: Evaluation, features: NDArray[np.float32], images: LabelledImages) -> FittedProbe:
    train, val, labels = images.parts["train"], images.parts["val"], images.labels
    return fit_probe(
        evaluation.probe, features[train], labels.values[train], features[val], labels.values[val], labels.classes
    )


def _score(probe: FittedProbe, features: NDArray[np.float32], images: LabelledImages) -> Scores:
    test, labels = images.parts["test"], images.labels
    patients = np.unique(images.patients[test], return_inverse=True)[1]
    return Scores(labels.classes, probe.scores(features[test]), labels.values[test], patients, np.flatnonzero(test))


def _record(
    evaluation: Evaluation, origin: FeatureOrigin, images: LabelledImages, probe: FittedProbe, scored: Scores
) -> MetricRecord:
    settings = _settings(evaluation)
    in_test = images.splits == "test"
    return MetricRecord(
        kind="metrics",
        benchmark=evaluation.benchmark,
        corpus=evaluation.settings.corpus,
        split="test",
        encoder=evaluation.encoder,
        control=None,
        protocol=evaluation.protocol,
        control_protocol=None,
        fraction=evaluation.settings.fraction,
        seed=evaluation.settings.seed,
        regularisation=probe.penalties,
        n_train=int(images.parts["train"].sum()),
        quarantined=origin.quarantined,
        excluded=images.labels.count_excluded(in_test),
        labels=images.labels.count_doubtful(in_test),
        values=evaluate_scores(scored.logits, scored.labels, scored.classes, scored.patients, evaluation.bootstrap),
        settings=settings,
        digests=_digests(evaluation, origin, settings),
        versions=package_versions(EVALUATION_PACKAGES),
        device=origin.device,
        decoder=origin.decoder,
    )


def _settings(evaluation: Evaluation) -> dict[str, JsonValue]:
    return {
        "benchmark": evaluation.settings.model_dump(mode="json"),
        "probe": evaluation.probe.model_dump(mode="json"),
        "bootstrap": evaluation.bootstrap.model_dump(mode="json"),
    }


def _digests(evaluation: Evaluation, origin: FeatureOrigin, settings: dict[str, JsonValue]) -> Digests:
    return Digests(
        encoder=origin.encoder,
        control=None,
        manifest=file_digest(evaluation.manifest),
        features=file_digest(evaluation.features),
        settings=settings_digest(settings),
        code=evaluation.code,
    )
