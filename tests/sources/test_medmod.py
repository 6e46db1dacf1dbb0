"""MedMod: stays, phenotypes, and the rules that pair a stay with an image."""

import logging
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.manifests.vocabulary import FINDINGS
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.mimic_derived import MedmodLayout, StayPairing
from pipeline.sources.adapter import read_corpus
from pipeline.sources.adapters.medmod import PHENOTYPE_NAMES, pair_stays
from pipeline.sources.locations import Trees
from pipeline.sources.mimic_tables import read_metadata
from pipeline.sources.phantom.cohort import write_cohort
from pipeline.sources.phantom.phenotypes import PHENOTYPES

SOURCE = PhantomSource(kind="phantom", patients=40, image_size=32)
LAYOUT = MedmodLayout(format="medmod", images_of="mimic")
PAIRINGS: tuple[StayPairing, ...] = ("official_phenotyping", "official_mortality", "pacx")
MIDNIGHT = datetime(2150, 1, 1)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    base = tmp_path_factory.mktemp("raw")
    write_cohort(base / "mimic", SOURCE, "mimic_cxr")
    write_cohort(base / "medmod", SOURCE, "medmod")
    return Trees(base / "medmod", base / "mimic", base / "medmod")


@pytest.fixture(scope="module")
def stays(trees: Trees) -> pl.DataFrame:
    return pl.read_csv(trees.own / "all_stays.csv", try_parse_dates=True)


def rows_by(trees: Trees, pairing: StayPairing) -> pl.DataFrame:
    return read_corpus(trees, LAYOUT.model_copy(update={"pairing": pairing})).rows


def made_stays(*hours: tuple[float, float, float, float]) -> pl.DataFrame:
    """Return stays of one patient, in and out of the unit and of the hospital, in hours."""
    times = [[MIDNIGHT + timedelta(hours=hour) for hour in stay] for stay in hours]
    columns = ("intime", "outtime", "admittime", "dischtime")
    stays = pl.DataFrame(times, schema=dict.fromkeys(columns, pl.Datetime("ms")), orient="row")
    return stays.with_columns(subject_id=pl.lit("1"), stay_id=pl.format("s{}", pl.int_range(pl.len())))


def made_images(**taken: tuple[str, float | None]) -> pl.DataFrame:
    """Return images of that patient by name: view, and hour."""
    return pl.DataFrame(
        {
            "subject_id": ["1"] * len(taken),
            "dicom_id": list(taken),
            "view": [view for view, _ in taken.values()],
            "taken_at": [None if hour is None else MIDNIGHT + timedelta(hours=hour) for _, hour in taken.values()],
        },
        schema_overrides={"taken_at": pl.Datetime("ms")},
    )


def changed(trees: Trees, own: Path, stays: pl.DataFrame) -> Trees:
    """Return the tree with another table of stays."""
    for path in trees.own.glob("*.csv"):
        (own / path.name).symlink_to(path)
    (own / "all_stays.csv").unlink()
    stays.write_csv(own / "all_stays.csv")
    return Trees(own, trees.images, own)


def paired(stays: pl.DataFrame, images: pl.DataFrame, pairing: StayPairing) -> dict[str, str]:
    return dict(pair_stays(stays, images, pairing).select("stay_id", "dicom_id").iter_rows())


IMAGES = made_images(
    before=("AP", -2), lateral=("LATERAL", 5), first=("AP", 10), second=("AP", 40), third=("AP", 90), after=("AP", 130)
)


@pytest.mark.parametrize(
    ("pairing", "image"), [("official_phenotyping", "third"), ("official_mortality", "second"), ("pacx", "before")]
)
def test_each_rule_has_its_image(pairing: StayPairing, image: str) -> None:
    assert paired(made_stays((0, 100, -5, 120)), IMAGES, pairing) == {"s0": image}


def test_pacx_takes_any_view_from_the_start_of_stay_or_admission() -> None:
    assert paired(made_stays((0, 100, 2, 120)), IMAGES, "pacx") == {"s0": "lateral"}


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_images_without_a_time_or_outside_the_window_pair_with_nothing(pairing: StayPairing) -> None:
    images = made_images(timeless=("AP", None), late=("AP", 500))
    assert paired(made_stays((0, 100, -5, 120)), images, pairing) == {}


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_no_image_stands_for_two_stays(pairing: StayPairing) -> None:
    stays = made_stays((0, 45, -5, 120), (30, 100, -5, 120), (35, 45, 33, 46))
    pairs = paired(stays, IMAGES, pairing)
    assert len(set(pairs.values())) == len(pairs)
    expected = {
        "official_phenotyping": {"s0": "second", "s1": "third"},
        "official_mortality": {"s1": "second"},
        "pacx": {"s0": "before", "s1": "lateral", "s2": "second"},
    }
    assert pairs == expected[pairing]


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_pairs_of_the_phantom_are_those_of_a_loop_over_stays(
    trees: Trees, stays: pl.DataFrame, pairing: StayPairing
) -> None:
    images = read_metadata(trees.images)
    expected = {}
    for stay in stays.iter_rows(named=True):
        begin, end = stay["intime"], stay["outtime"]
        if pairing == "official_mortality" and end - begin < timedelta(hours=48):
            continue
        if pairing == "official_mortality":
            end = begin + timedelta(hours=48)
        if pairing == "pacx":
            begin, end = min(begin, stay["admittime"]), max(end, stay["dischtime"])
        of_subject = images.filter(
            (pl.col("subject_id") == str(stay["subject_id"]))
            & pl.col("taken_at").is_between(begin, end)
            & (True if pairing == "pacx" else pl.col("view") == "AP")
        ).sort("taken_at", "dicom_id")
        if of_subject.height:
            expected[str(stay["stay_id"])] = of_subject["dicom_id"][0 if pairing == "pacx" else -1]
    rows = rows_by(trees, pairing)
    assert len(expected) > 10
    assert (len(expected) < stays.height) == (pairing != "pacx")
    assert sorted(rows["key"]) == sorted(f"{stay}_{image}" for stay, image in expected.items())


def test_outcomes_of_48_hours_need_a_stay_as_long(caplog: pytest.LogCaptureFixture) -> None:
    stays = made_stays((0, 47.9, -5, 120), (60, 108, -5, 120))
    images = made_images(one=("AP", 10), two=("AP", 70))
    with caplog.at_level(logging.INFO):
        assert paired(stays, images, "official_mortality") == {"s1": "two"}
    assert "1 stays of less than 48 hours are dropped" in caplog.text
    assert paired(stays, images, "official_phenotyping") == {"s0": "one", "s1": "two"}


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_a_stay_without_an_end_counts_as_unpaired(
    trees: Trees, stays: pl.DataFrame, tmp_path: Path, pairing: StayPairing, caplog: pytest.LogCaptureFixture
) -> None:
    of_one = rows_by(trees, pairing)["key"][0]
    endless = pl.col("stay_id") == of_one.split("_")[0]
    table = pl.read_csv(trees.own / "all_stays.csv", infer_schema=False)
    own = changed(trees, tmp_path, table.with_columns(outtime=pl.when(~endless).then("outtime")))
    with caplog.at_level(logging.INFO):
        rows = read_corpus(own, LAYOUT.model_copy(update={"pairing": pairing})).rows
    assert "1 stays have no outtime and count as unpaired" in caplog.text
    assert of_one not in set(rows["key"])
    assert rows.height >= rows_by(trees, pairing).height - 1


def test_identifiers_of_another_form_are_refused_by_their_line(trees: Trees, tmp_path: Path) -> None:
    table = pl.read_csv(trees.own / "all_stays.csv", infer_schema=False)
    own = changed(trees, tmp_path, table.with_columns(pl.col("subject_id") + ".0"))
    with pytest.raises(UserError, match=r"all_stays\.csv, line 2: column 'subject_id' holds no identifier of MIMIC's"):
        read_corpus(own, LAYOUT)


def test_tables_that_pair_no_stay_with_an_image_are_refused(trees: Trees, tmp_path: Path) -> None:
    table = pl.read_csv(trees.own / "all_stays.csv", infer_schema=False)
    own = changed(trees, tmp_path, table.with_columns(outtime=pl.lit(None, pl.String)))
    with pytest.raises(UserError, match=r"gives no row: its tables \(all_stays\.csv, .*layout 'medmod' keeps"):
        read_corpus(own, LAYOUT)


def test_rows_agree_with_mimic_and_the_table_of_stays(trees: Trees, stays: pl.DataFrame) -> None:
    rows = rows_by(trees, "pacx")
    assert rows.schema == ROW_SCHEMA
    assert all((trees.images / path).is_file() for path in rows["path"])
    joined = rows.with_columns(stay_id=pl.col("key").str.extract(r"^(\d+)_").cast(pl.Int64)).join(stays, on="stay_id")
    assert joined.height == rows.height
    assert (joined["patient"] == "mimic:" + joined["subject_id"].cast(pl.String)).all()
    assert (joined["sex"].cast(pl.String) == joined["gender"]).all()
    assert (joined["age"] == joined["age_right"]).all()
    for column, finding in {"mortality_inunit": "death_in_icu", "mortality_inhospital": "death_in_hospital"}.items():
        assert ((joined[f"finding_{finding}"] == "present") == (joined[column] == 1)).all()


def test_row_i_of_the_phenotypes_belongs_to_the_ith_stay_by_number(trees: Trees, stays: pl.DataFrame) -> None:
    assert stays["stay_id"].to_list() != sorted(stays["stay_id"])
    matrix = pl.read_csv(trees.own / "phenotype_labels.csv")
    number = {str(stay): row for row, stay in enumerate(sorted(stays["stay_id"]))}
    for row in rows_by(trees, "pacx").iter_rows(named=True):
        labels = matrix.row(number[row["key"].split("_")[0]], named=True)
        for name, finding in PHENOTYPE_NAMES.items():
            assert row[f"finding_{finding}"] == ("present" if labels[name] else "absent")


def test_the_phenotypes_are_the_vocabularys_in_the_publishers_order() -> None:
    assert list(PHENOTYPE_NAMES) == sorted(PHENOTYPE_NAMES) == list(PHENOTYPES)
    start = FINDINGS.index("acute_renal_failure")
    assert tuple(PHENOTYPE_NAMES.values()) == FINDINGS[start : start + 25]


def test_the_official_parts_keep_patients_whole_and_may_be_left_out(trees: Trees, tmp_path: Path) -> None:
    rows = rows_by(trees, "pacx")
    assert set(rows["official_split"]) == {"train", "val", "test"}
    assert rows.group_by("patient").agg(pl.col("official_split").n_unique())["official_split"].max() == 1
    for name in ("all_stays.csv", "phenotype_labels.csv"):
        (tmp_path / name).symlink_to(trees.own / name)
    own = Trees(tmp_path, trees.images, tmp_path)
    without = read_corpus(own, LAYOUT.model_copy(update={"split_table": None}))
    assert without.rows["official_split"].null_count() == without.rows.height
    assert without.tables == ("all_stays.csv", "phenotype_labels.csv")


@pytest.mark.parametrize(
    ("table", "old", "new", "sentence"),
    [
        ("all_stays.csv", "intime", "in", r"all_stays\.csv has no column 'intime'"),
        ("all_stays.csv", " 2", " 9", r"all_stays\.csv, line \d+: column '\w+time' holds no time like"),
        (
            "all_stays.csv",
            ",30000",
            ",3000x",
            r"all_stays\.csv, line 2: column 'stay_id' is not the number of one stay",
        ),
        (
            "phenotype_labels.csv",
            "\n0",
            "\n2",
            r"phenotype_labels\.csv, line \d+: '2' in column 'Acute.*' is neither 0",
        ),
        ("phenotype_labels.csv", '"Shock"', '"Shocks"', r"phenotype_labels\.csv has no column 'Shock'"),
    ],
)
def test_a_wrong_table_is_refused(trees: Trees, tmp_path: Path, table: str, old: str, new: str, sentence: str) -> None:
    for path in trees.own.glob("*.csv"):
        text = path.read_text()
        assert path.name != table or old in text
        (tmp_path / path.name).write_text(text.replace(old, new, 1) if path.name == table else text)
    with pytest.raises(UserError, match=sentence):
        read_corpus(Trees(tmp_path, trees.images, tmp_path), LAYOUT)


def test_tables_of_two_runs_are_refused(trees: Trees, tmp_path: Path) -> None:
    for path in trees.own.glob("*.csv"):
        lines = path.read_text().splitlines(keepends=True)
        (tmp_path / path.name).write_text("".join(lines[:-1] if path.name == "phenotype_labels.csv" else lines))
    with pytest.raises(
        UserError, match=r"phenotype_labels\.csv has \d+ rows but all_stays\.csv has \d+: row i belongs"
    ):
        read_corpus(Trees(tmp_path, trees.images, tmp_path), LAYOUT)
