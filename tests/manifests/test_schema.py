from pathlib import Path

import polars as pl
import pytest
from conftest import make_manifest

from pipeline.manifests.schema import check_manifest, read_manifest, write_manifest
from pipeline.records.errors import UserError


def test_a_manifest_comes_back_as_it_was_written_in_equal_bytes(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path / "raw")
    write_manifest(manifest, tmp_path / "a.parquet")
    write_manifest(manifest, tmp_path / "b.parquet")
    assert read_manifest(tmp_path / "a.parquet").equals(manifest)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_patient_in_two_splits_is_refused_by_name_and_nothing_is_published(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path / "raw")
    moved = pl.when(pl.col("key") == "000_1").then(pl.lit("test")).otherwise(pl.col("split"))
    torn = manifest.with_columns(split=moved.cast(manifest.schema["split"]))
    with pytest.raises(UserError, match=r"patient 'made:000' is in the splits train and test \(1 patients in all\)"):
        write_manifest(torn, tmp_path / "torn.parquet")
    assert not (tmp_path / "torn.parquet").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (pl.lit("same").alias("key"), "key 'same' stands in more than one row"),
        (pl.lit("a.b").alias("key"), "key 'a.b' may hold only letters"),
        (pl.lit(None, dtype=pl.String).alias("patient"), "column 'patient' is empty in 24 rows"),
        (pl.lit(3).alias("age"), "does not have the manifest's schema"),
    ],
)
def test_a_broken_row_is_refused_in_one_sentence(tmp_path: Path, change: pl.Expr, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        check_manifest(make_manifest(tmp_path / "raw").with_columns(change), "made")
