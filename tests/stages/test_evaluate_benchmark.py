from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from pipeline.evaluation.feature_file import FeatureOrigin, write_features
from pipeline.manifests.schema import PRESENCE_TYPE, read_manifest, write_manifest
from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.records.metrics import MetricRecord, read_metric_record
from pipeline.settings.benchmarks import BenchmarkSettings
from pipeline.settings.probes import BootstrapSettings, RidgeSettings
from pipeline.stages.evaluate_benchmark import Evaluation, evaluate_benchmark

EDEMA = {"kind": "findings", "findings": ["edema"]}


@pytest.fixture
def features(made_manifest: Path, made_index: Path) -> Path:
    """Leave half of the PA images uncertain, and publish features of all images."""
    in_doubt = (pl.col("view") == "PA") & (pl.col("patient") < "made:008")
    labels = pl.when(in_doubt).then(pl.lit("uncertain")).otherwise(pl.col("finding_edema").cast(pl.String))
    write_manifest(read_manifest(made_manifest).with_columns(finding_edema=labels.cast(PRESENCE_TYPE)), made_manifest)
    origin = FeatureOrigin(encoder="e" * 64, index=file_digest(made_index), device="cpu", decoder="made", quarantined=3)
    drawn = np.random.default_rng(0).standard_normal((pq.read_metadata(made_index).num_rows, 3)).astype(np.float32)
    write_features(made_index.parent / "features.safetensors", {"mean": drawn}, origin)
    return made_index.parent / "features.safetensors"


def evaluated(features: Path, made_index: Path, made_manifest: Path, target: dict[str, object]) -> MetricRecord:
    evaluation = Evaluation(
        benchmark="made_edema",
        encoder="drawn",
        protocol="ridge",
        settings=BenchmarkSettings.model_validate({"corpus": "made", "target": target}),
        probe=RidgeSettings(kind="ridge"),
        bootstrap=BootstrapSettings(resamples=40),
        features=features,
        index=made_index,
        manifest=made_manifest,
        code="c" * 64,
    )
    record = features.with_name("record.json")
    evaluate_benchmark(evaluation, record, features.with_name("scores.safetensors"))
    return read_metric_record(record)


@pytest.mark.parametrize(
    ("policy", "positives", "scored", "left_out"),
    [("u_ones", 5, 6, {}), ("u_zeros", 3, 6, {}), ("u_ignore", 3, 4, {"no label": 2})],
)
def test_the_record_says_how_doubtful_labels_were_read_and_how_many_there_were(
    features: Path,
    made_index: Path,
    made_manifest: Path,
    policy: str,
    positives: int,
    scored: int,
    left_out: dict[str, int],
) -> None:
    record = evaluated(features, made_index, made_manifest, EDEMA | {"policy": policy})
    auroc = next(value for value in record.values if (value.metric, value.target) == ("auroc", "edema"))
    assert (auroc.positives, auroc.n) == (positives, scored)
    assert record.excluded == left_out
    meaning = {"u_ones": "present", "u_zeros": "absent", "u_ignore": "ignored"}[policy]
    expected = {"uncertain": meaning, "unknown": "absent", "n_uncertain": 2, "n_unknown": 0}
    assert record.labels["edema"].model_dump() == expected


def test_a_record_of_an_attribute_has_no_label_policy(features: Path, made_index: Path, made_manifest: Path) -> None:
    target = {"kind": "attribute", "column": "view", "positive": "AP", "negative": "PA"}
    assert evaluated(features, made_index, made_manifest, target).labels == {}


def test_features_of_another_index_are_refused(features: Path, made_index: Path, made_manifest: Path) -> None:
    origin = FeatureOrigin(encoder="e" * 64, index="f" * 64, device="cpu", decoder="made", quarantined=0)
    write_features(features, {"mean": np.zeros((24, 3), dtype=np.float32)}, origin)
    with pytest.raises(UserError, match="was computed from another shard index; delete it and run again"):
        evaluated(features, made_index, made_manifest, EDEMA)
