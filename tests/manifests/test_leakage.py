from pathlib import Path

import polars as pl
import pytest
from conftest import make_manifest

from pipeline.manifests.leakage import audit, report, require_no_leak
from pipeline.records.errors import UserError

TRAINED, TESTED = [("a", "train"), ("b", "train")], [("b", "test")]


@pytest.fixture
def clean(tmp_path: Path) -> dict[str, pl.DataFrame]:
    manifest = make_manifest(tmp_path / "raw")
    other = manifest.with_columns(
        ("other:" + pl.col("patient")).alias("patient"), ("other:" + pl.col("study")).alias("study")
    )
    return {"a": other, "b": manifest}


def test_disjoint_corpora_pass_and_every_pair_is_reported(clean: dict[str, pl.DataFrame]) -> None:
    overlaps = audit(clean, TRAINED, TESTED)
    require_no_leak(overlaps)
    assert report(overlaps)["clean"] is True
    assert [(overlap.trained, overlap.tested) for overlap in overlaps] == [
        ("a/train", "b/test"),
        ("b/train", "b/test"),
    ]


def test_a_patient_shared_by_two_corpora_fails_the_build(clean: dict[str, pl.DataFrame]) -> None:
    leaking = clean | {"a": clean["b"].with_columns(split=pl.lit("train").cast(clean["b"].schema["split"]))}
    with pytest.raises(UserError, match=r"a/train is trained on and b/test is tested on, but they share 3 patients"):
        require_no_leak(audit(leaking, TRAINED, TESTED))


def test_the_same_file_under_another_patient_fails_the_build(clean: dict[str, pl.DataFrame]) -> None:
    same = {name: frame.with_columns(sha256=pl.lit("c" * 64)) for name, frame in clean.items()}
    with pytest.raises(UserError, match="1 identical image files"):
        require_no_leak(audit(same, TRAINED, TESTED))


def test_nothing_is_said_of_identical_files_where_they_were_not_hashed(clean: dict[str, pl.DataFrame]) -> None:
    assert {overlap.identical_images for overlap in audit(clean, TRAINED, TESTED)} == {None}
    hashed = {name: frame.with_columns(sha256=name + pl.col("key")) for name, frame in clean.items()}
    assert {overlap.identical_images for overlap in audit(hashed, TRAINED, TESTED)} == {0}


def test_images_that_are_not_there_do_not_leak(clean: dict[str, pl.DataFrame]) -> None:
    absent = clean | {
        "a": clean["b"].with_columns(
            file_state=pl.lit("missing"), split=pl.lit("train").cast(clean["b"].schema["split"])
        )
    }
    require_no_leak(audit(absent, TRAINED, TESTED))
