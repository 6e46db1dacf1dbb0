from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import make_manifest

from pipeline.evaluation.targets import IGNORED, NEGATIVE, POSITIVE, read_labels
from pipeline.manifests.schema import PRESENCE_TYPE, write_manifest
from pipeline.records.errors import UserError
from pipeline.settings.benchmarks import BenchmarkSettings

PRESENCES = ["present", "absent", "uncertain", "unknown"] * 6


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    rows = make_manifest(tmp_path / "raw").with_columns(finding_edema=pl.Series(PRESENCES, dtype=PRESENCE_TYPE))
    write_manifest(rows, tmp_path / "made.parquet")
    return tmp_path / "made.parquet"


def benchmark(**target: object) -> BenchmarkSettings:
    return BenchmarkSettings.model_validate({"corpus": "made", "target": target, "views": []})


def keys(manifest: Path) -> list[str]:
    return pl.read_parquet(manifest)["key"].to_list()


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, [POSITIVE, NEGATIVE, IGNORED, IGNORED]),
        ({"policy": "u_ignore"}, [POSITIVE, NEGATIVE, IGNORED, NEGATIVE]),
        ({"policy": "u_ones"}, [POSITIVE, NEGATIVE, POSITIVE, NEGATIVE]),
        ({"policy": "u_zeros"}, [POSITIVE, NEGATIVE, NEGATIVE, NEGATIVE]),
        ({"policy": "certain_only"}, [POSITIVE, NEGATIVE, IGNORED, IGNORED]),
        (
            {"policy": "u_zeros", "overrides": {"edema": {"uncertain": "present", "unknown": "ignored"}}},
            [POSITIVE, NEGATIVE, POSITIVE, IGNORED],
        ),
    ],
)
def test_uncertain_and_unknown_count_as_the_policy_says(
    manifest: Path, policy: dict[str, object], expected: list[int]
) -> None:
    labels = read_labels(manifest, keys(manifest), benchmark(kind="findings", findings=["edema"], **policy))
    assert labels.values[:4, 0].tolist() == expected


def test_each_finding_is_read_by_its_own_rule(manifest: Path) -> None:
    rows = pl.read_parquet(manifest).with_columns(finding_cardiomegaly=pl.lit("uncertain").cast(PRESENCE_TYPE))
    write_manifest(rows, manifest)
    settings = benchmark(kind="findings", findings=["edema", "cardiomegaly"], policy="medical_mae")
    labels = read_labels(manifest, keys(manifest), settings)
    assert labels.values[:4].tolist() == [[1, 0], [0, 0], [1, 0], [0, 0]]


def test_what_a_policy_decided_is_counted_where_the_view_is_wanted(manifest: Path) -> None:
    settings = benchmark(kind="findings", findings=["edema"], policy="u_ones").model_copy(update={"views": ("PA",)})
    labels = read_labels(manifest, keys(manifest), settings)
    counted = labels.count_doubtful(np.ones(24, bool))
    assert counted["edema"].model_dump() == {
        "uncertain": "present",
        "unknown": "absent",
        "n_uncertain": 0,
        "n_unknown": 6,
    }


def test_labels_follow_the_order_of_the_shards_not_of_the_manifest(manifest: Path) -> None:
    settings = benchmark(kind="findings", findings=["edema"])
    straight = read_labels(manifest, keys(manifest), settings).values
    np.testing.assert_array_equal(read_labels(manifest, keys(manifest)[::-1], settings).values, straight[::-1])


def test_images_that_take_no_part_are_counted_by_reason(manifest: Path) -> None:
    settings = benchmark(kind="findings", findings=["edema"], policy="certain_only")
    labels = read_labels(manifest, keys(manifest), settings.model_copy(update={"views": ("PA",)}))
    assert labels.count_excluded(np.ones(24, bool)) == {"no label": 6, "other view": 12}
    assert labels.taking_part().sum() == 6


def test_an_attribute_is_one_class_and_other_values_are_left_out(manifest: Path) -> None:
    settings = benchmark(kind="attribute", column="sex", positive="F", negative="X")
    labels = read_labels(manifest, keys(manifest), settings)
    assert labels.classes == ("sex=F",)
    assert set(labels.values[:, 0]) == {POSITIVE, IGNORED}
    assert labels.count_doubtful(np.ones(24, bool)) == {}


def test_an_image_the_manifest_does_not_know_is_named(manifest: Path) -> None:
    with pytest.raises(UserError, match=r"made\.parquet has no row for the image 'stranger'"):
        read_labels(manifest, ["stranger"], benchmark(kind="findings", findings=["edema"]))
