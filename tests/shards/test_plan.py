import itertools
from pathlib import Path

import polars as pl
import pytest
from conftest import make_manifest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.shards.plan import order_images, plan_place, plan_shards, take_part


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    return make_manifest(tmp_path_factory.mktemp("raw"))


@given(samples_per_shard=st.integers(1, 30), parts=st.integers(1, 9))
def test_every_present_image_is_in_one_tar_of_its_split_and_one_part(
    manifest: pl.DataFrame, samples_per_shard: int, parts: int
) -> None:
    plan = plan_shards(order_images(manifest), samples_per_shard)
    split_of = dict(manifest.select("key", "split").iter_rows())
    planned = [key for shard in plan for key in shard.rows["key"]]
    assert sorted(planned) == sorted(split_of)
    for shard in plan:
        assert 1 <= shard.rows.height <= samples_per_shard
        assert {split_of[key] for key in shard.rows["key"]} == {shard.name.split("-")[0]}
    taken = [shard.name for part in range(parts) for shard in take_part(plan, part, parts)]
    assert sorted(taken) == sorted(shard.name for shard in plan)
    assert sorted(taken, key=plan_place) == [shard.name for shard in plan]


def test_images_that_are_missing_or_excluded_are_in_no_tar(manifest: pl.DataFrame) -> None:
    states = pl.when(pl.col("key") == "001_0").then(pl.lit("missing")).otherwise("file_state")
    splits = (
        pl.when(pl.col("patient") == "made:002").then(pl.lit("excluded")).otherwise(pl.col("split").cast(pl.String))
    )
    paths = pl.when(pl.col("key") != "003_1").then("path")
    changed = manifest.with_columns(file_state=states, split=splits.cast(manifest.schema["split"]), path=paths)
    left_out = set(manifest["key"]) - set(order_images(changed)["key"])
    assert left_out == {"001_0", "002_0", "002_1", "003_1"}


def test_the_order_is_that_of_the_keys_and_not_of_the_rows(manifest: pl.DataFrame) -> None:
    shuffled = manifest.sample(fraction=1, shuffle=True, seed=3)
    assert order_images(shuffled).equals(order_images(manifest))
    fewer = order_images(manifest.filter(pl.col("patient") != "made:000"))
    assert fewer["key"].to_list() == [key for key in order_images(manifest)["key"] if not key.startswith("000")]


def test_images_of_a_patient_do_not_follow_one_another_in_turn(manifest: pl.DataFrame) -> None:
    patients = order_images(manifest)["patient"].to_list()
    assert sum(first == second for first, second in itertools.pairwise(patients)) < len(patients) / 4


@pytest.mark.parametrize("name", ["train-0.tar", "dev-000000.tar", "train-000000.tar.gz", "train.tar", "000000.tar"])
def test_a_name_that_no_plan_gives_has_no_place(name: str) -> None:
    with pytest.raises(ValueError, match=f"no plan names a shard '{name}'"):
        plan_place(name)


def test_a_corpus_without_images_has_an_empty_plan(tmp_path: Path) -> None:
    assert plan_shards(order_images(make_manifest(tmp_path).clear()), 5) == []
