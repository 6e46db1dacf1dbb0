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
        ({"uncertain": "present"}, [POSITIVE, NEGATIVE, POSITIVE, IGNORED]),
        ({"uncertain": "absent", "unknown": "absent"}, [POSITIVE, NEGATIVE, NEGATIVE, NEGATIVE]),
    ],
)
def test_uncertain_and_unknown_count_as_the_settings_say(
    manifest: Path, policy: dict[str, str], expected: list[int]
) -> None:
    labels = read_labels(manifest, keys(manifest), benchmark(kind="findings", findings=["edema"], **policy))
    assert labels.values[:4, 0].tolist() == expected


def test_labels_follow_the_order_of_the_shards_not_of_the_manifest(manifest: Path) -> None:
    settings = benchmark(kind="findings", findings=["edema"])
    straight = read_labels(manifest, keys(manifest), settings).values
    np.testing.assert_array_equal(read_labels(manifest, keys(manifest)[::-1], settings).values, straight[::-1])


def test_images_that_take_no_part_are_counted_by_reason(manifest: Path) -> None:
    settings = benchmark(kind="findings", findings=["edema"]).model_copy(update={"views": ("PA",)})
    labels = read_labels(manifest, keys(manifest), settings)
    assert labels.count_excluded(np.ones(24, bool)) == {"no label": 6, "other view": 12}
    assert labels.taking_part().sum() == 6


def test_an_attribute_is_one_class_and_other_values_are_left_out(manifest: Path) -> None:
    settings = benchmark(kind="attribute", column="sex", positive="F", negative="X")
    labels = read_labels(manifest, keys(manifest), settings)
    assert labels.classes == ("sex=F",)
    assert set(labels.values[:, 0]) == {POSITIVE, IGNORED}


def test_a_finding_that_is_not_in_the_vocabulary_is_named(manifest: Path) -> None:
    with pytest.raises(UserError, match="no finding 'oedema' in the vocabulary; did you mean 'edema'"):
        read_labels(manifest, keys(manifest), benchmark(kind="findings", findings=["oedema"]))


def test_an_image_the_manifest_does_not_know_is_named(manifest: Path) -> None:
    with pytest.raises(UserError, match=r"made\.parquet has no row for the image 'stranger'"):
        read_labels(manifest, ["stranger"], benchmark(kind="findings", findings=["edema"]))
