import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.manifests.splits import assign_splits
from pipeline.records.errors import UserError
from pipeline.settings.corpora import SplitSettings

PATIENTS = st.lists(st.text("abc0123456789", min_size=1, max_size=6), min_size=1, max_size=60)
CUT = SplitSettings(scheme="patient", val_fraction=0.3, test_fraction=0.3)


def rows(patients: list[str], official: list[str | None] | None = None) -> pl.DataFrame:
    return pl.DataFrame(
        {"patient": patients, "path": patients, "official_split": official or [None] * len(patients)},
        schema={"patient": pl.String, "path": pl.String, "official_split": pl.Enum(("train", "test"))},
    )


@given(PATIENTS)
def test_no_patient_is_in_two_splits(patients: list[str]) -> None:
    splits = assign_splits(rows(patients), CUT, "made")
    assert len(set(zip(patients, splits, strict=True))) == len(set(patients))


@given(PATIENTS, PATIENTS)
def test_more_patients_move_no_other(patients: list[str], more: list[str]) -> None:
    alone = assign_splits(rows(patients), CUT, "made").to_list()
    assert assign_splits(rows(patients + more), CUT, "made").to_list()[: len(patients)] == alone


def test_the_shares_are_those_of_the_settings() -> None:
    splits = assign_splits(rows([f"p{number}" for number in range(20_000)]), CUT, "made")
    counts = dict(splits.value_counts().iter_rows())
    assert counts["test"] / 20_000 == pytest.approx(0.3, abs=0.015)
    assert counts["val"] / (20_000 - counts["test"]) == pytest.approx(0.3, abs=0.015)


@given(st.lists(st.sampled_from(["train", "test"]), min_size=1, max_size=50))
def test_the_official_test_patients_and_no_others_are_tested_on(official: list[str]) -> None:
    patients = [f"p{number}" for number in range(len(official))]
    splits = assign_splits(rows(patients, list(official)), SplitSettings(scheme="official"), "made")
    assert [split == "test" for split in splits] == [part == "test" for part in official]


def test_a_patient_in_both_official_parts_is_refused() -> None:
    with pytest.raises(UserError, match="patient 'p1' is in more than one official part"):
        assign_splits(rows(["p1", "p1"], ["train", "test"]), SplitSettings(scheme="official"), "made")


def test_an_image_in_no_official_part_is_refused() -> None:
    with pytest.raises(UserError, match="image 'p2' is in no official split"):
        assign_splits(rows(["p1", "p2"], ["train", None]), SplitSettings(scheme="official"), "made")
