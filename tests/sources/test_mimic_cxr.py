"""MIMIC-CXR from the publisher's tables: rows, and what is refused without naming anyone."""

import csv
import gzip
import io
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from corpus_stages import RawFolder

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.corpora import InventorySettings, PhantomSource
from pipeline.settings.layouts.mimic import MimicCxrLayout
from pipeline.sources.adapter import read_corpus
from pipeline.sources.locations import Trees
from pipeline.sources.mimic_tables import read_metadata
from pipeline.sources.phantom.cohort import write_cohort
from pipeline.sources.phantom.trees.mimic_cxr import LABELS

SOURCE = PhantomSource(kind="phantom", patients=22, image_size=32, test_fraction=0.3)
METADATA, SPLIT, CHEXPERT, NEGBIO = (
    f"mimic-cxr-2.0.0-{name}.csv.gz" for name in ("metadata", "split", "chexpert", "negbio")
)
RADIOLOGIST = "mimic-cxr-2.1.0-test-set-labeled.csv"
WORDS = {"1.0": "present", "0.0": "absent", "-1.0": "uncertain", "": "unknown"}

Table = list[dict[str, str]]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cohort") / "mimic_cxr"
    write_cohort(root, SOURCE, "mimic_cxr")
    return root


@pytest.fixture
def raw(tree: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tree, tmp_path / "raw"))


def layout(**settings: object) -> MimicCxrLayout:
    return MimicCxrLayout.model_validate({"format": "mimic_cxr", **settings})


def rows(root: Path, **settings: object) -> pl.DataFrame:
    return read_corpus(Trees.alone(root), layout(**settings)).rows


def table(path: Path) -> Table:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return list(csv.DictReader(io.StringIO(text)))


def rewrite(path: Path, change: Callable[[Table], Table]) -> None:
    changed = change(table(path))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(changed[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(changed)
    path.write_bytes(gzip.compress(text.getvalue().encode()))


def set_cell(line: int, column: str, cell: str) -> Callable[[Table], Table]:
    def change(cells: Table) -> Table:
        cells[line - 2][column] = cell
        return cells

    return change


def refused(root: Path, sentence: str, **settings: object) -> None:
    identifiers = set(re.findall(r"[0-9a-f]{8}", (root / "IMAGE_FILENAMES").read_text()))
    with pytest.raises(UserError, match=sentence) as refusal:
        rows(root, **settings)
    assert not [identifier for identifier in identifiers if identifier in str(refusal.value)]


def test_every_image_of_the_metadata_has_one_row_with_its_file(tree: Path) -> None:
    corpus = read_corpus(Trees.alone(tree), layout())
    assert corpus.rows.schema == ROW_SCHEMA
    assert corpus.rows["key"].to_list() == [row["dicom_id"] for row in table(tree / METADATA)]
    assert sorted(corpus.rows["path"]) == sorted((tree / "IMAGE_FILENAMES").read_text().split())
    assert all((tree / path).is_file() for path in corpus.rows["path"])
    assert corpus.unlisted == ()
    assert corpus.tables == (METADATA, SPLIT, CHEXPERT, "mimic-cxr-reports.zip")


def test_patients_and_studies_are_those_of_mimic_whatever_the_corpus(tree: Path) -> None:
    named = rows(tree).select("patient", "study").rows()
    assert named == [(f"mimic:{row['subject_id']}", f"mimic:{row['study_id']}") for row in table(tree / METADATA)]


def test_the_official_split_is_kept(tree: Path) -> None:
    parts = {"train": "train", "validate": "val", "test": "test"}
    listed = {row["dicom_id"]: parts[row["split"]] for row in table(tree / SPLIT)}
    assert dict(rows(tree).select("key", "official_split").iter_rows()) == listed
    assert set(listed.values()) == set(parts.values())


def test_each_view_position_has_its_view(raw: Path) -> None:
    positions = ["AP", "PA", "LATERAL", "LL", "", "AP LLD", "XTABLE LATERAL", "LPO"]
    rewrite(raw / METADATA, lambda cells: [c | {"ViewPosition": p} for c, p in zip(cells, positions * 9, strict=False)])
    rewrite(raw / SPLIT, lambda cells: cells[: 8 * 9])
    views = rows(raw, find_unlisted=False)["view"][:8].to_list()
    assert views == ["AP", "PA", "LATERAL", "LATERAL", "UNKNOWN", "UNKNOWN", "UNKNOWN", "UNKNOWN"]


@pytest.mark.parametrize(("labels", "name"), [("chexpert", CHEXPERT), ("negbio", NEGBIO)])
def test_findings_are_those_of_the_chosen_labeller(labels: str, name: str, tree: Path) -> None:
    said = {f"mimic:{row['study_id']}": row for row in table(tree / name)}
    for row in rows(tree, labels=labels).iter_rows(named=True):
        labelled = said.get(row["study"], dict.fromkeys(LABELS, ""))
        for label in LABELS:
            assert row[f"finding_{label.lower().replace(' ', '_')}"] == WORDS[labelled[label]]


def test_the_labellers_differ_in_the_phantom_as_they_do_in_the_real_set(tree: Path) -> None:
    assert not rows(tree).equals(rows(tree, labels="negbio"))


def test_the_radiologist_takes_the_place_of_the_labeller_where_asked(tree: Path) -> None:
    read = {f"mimic:{row['study_id']}": row for row in table(tree / RADIOLOGIST)}
    mined, corrected = rows(tree), rows(tree, test_labels=True)
    others = ~pl.col("study").is_in(list(read))
    assert corrected.filter(others).equals(mined.filter(others))
    assert read
    for row in corrected.filter(~others).iter_rows(named=True):
        assert row["official_split"] == "test"
        assert row["finding_lung_opacity"] == WORDS[read[row["study"]]["Airspace Opacity"]]
        assert row["finding_cardiomegaly"] == WORDS[read[row["study"]]["Cardiomegaly"]]


def test_a_study_without_labels_stays_with_unknown_findings(raw: Path) -> None:
    first = table(raw / CHEXPERT)[0]["study_id"]
    rewrite(raw / CHEXPERT, lambda cells: cells[1:])
    unlabelled = rows(raw).filter(pl.col("study") == f"mimic:{first}")
    assert unlabelled.height
    assert set(unlabelled.select(pl.col("^finding_.*$").cast(pl.String)).unpivot()["value"]) == {"unknown"}


def test_the_report_of_a_study_goes_to_each_of_its_images(tree: Path) -> None:
    reports = rows(tree).group_by("study").agg(pl.col("^report_.*$").unique(), pl.len())
    assert reports["len"].max() == 2
    assert reports.select(pl.col("^report_.*$").list.len().max()).row(0) == (1, 1, 1)
    assert reports["report_source"].explode().null_count() == 0


def test_without_reports_the_texts_are_null(tree: Path) -> None:
    corpus = read_corpus(Trees.alone(tree), layout(reports=None))
    assert corpus.rows.select("report_findings", "report_impression", "report_source").null_count().row(0) == (
        (corpus.rows.height,) * 3
    )
    assert "mimic-cxr-reports.zip" not in corpus.tables


def test_a_study_whose_report_is_missing_has_no_text(raw: Path) -> None:
    with zipfile.ZipFile(raw / "mimic-cxr-reports.zip") as whole:
        names = whole.namelist()
        texts = {name: whole.read(name) for name in names[1:]}
    with zipfile.ZipFile(raw / "mimic-cxr-reports.zip", "w") as cut:
        for name, text in texts.items():
            cut.writestr(name, text)
    silent = rows(raw).filter(pl.col("report_source").is_null())
    assert set(silent["study"]) == {f"mimic:{names[0][-12:-4]}"}


def test_sex_and_age_come_from_mimic_iv_and_grow_with_the_years(raw: Path) -> None:
    taken = {row["dicom_id"]: int(row["StudyDate"][:4]) for row in table(raw / METADATA)}
    subject = table(raw / METADATA)[0]["subject_id"]
    (raw / "patients.csv").write_text(
        f"subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod\n{subject},F,60,2150,2014 - 2016,\n"
    )
    people = rows(raw, patients="patients.csv")
    known = people.filter(pl.col("patient") == f"mimic:{subject}")
    assert known["sex"].to_list() == ["F"] * known.height
    assert known["age"].to_list() == [60 + taken[key] - 2150 for key in known["key"]]
    assert people.filter(pl.col("patient") != f"mimic:{subject}")["age"].null_count() == people.height - known.height


@pytest.mark.parametrize(
    ("time", "clock"),
    [
        ("213014.531", (21, 30, 14, 531_000)),
        ("93017.0", (9, 30, 17, 0)),
        ("1.5", (0, 0, 1, 500_000)),
        ("0", (0, 0, 0, 0)),
    ],
)
def test_times_lose_their_leading_zeros_in_the_table_but_not_here(time: str, clock: tuple[int, ...], raw: Path) -> None:
    rewrite(raw / METADATA, set_cell(2, "StudyTime", time))
    taken = read_metadata(raw)["taken_at"][0]
    assert (taken.hour, taken.minute, taken.second, taken.microsecond) == clock
    assert f"{taken:%Y%m%d}" == table(raw / METADATA)[0]["StudyDate"]


@pytest.mark.parametrize(
    ("name", "column", "cell", "sentence"),
    [
        (METADATA, "dicom_id", "x", "metadata.csv.gz, line 3: column 'dicom_id' holds no identifier"),
        (METADATA, "subject_id", "", "metadata.csv.gz, line 3: column 'subject_id' holds no identifier"),
        (METADATA, "Rows", "many", "metadata.csv.gz, line 3: column 'Rows' holds no number of pixels"),
        (METADATA, "StudyDate", "20251340", "metadata.csv.gz, line 3: column 'StudyDate' holds no date"),
        (METADATA, "StudyTime", "250000", "metadata.csv.gz, line 3: column 'StudyTime' holds no time of day"),
        (SPLIT, "split", "dev", "split.csv.gz, line 3: column 'split' names no split"),
        (CHEXPERT, "Edema", "2", "chexpert.csv.gz, line 3: '2' in column 'Edema' is none of"),
        (CHEXPERT, "study_id", "?", "chexpert.csv.gz, line 3: column 'study_id' holds no identifier"),
    ],
)
def test_a_wrong_cell_is_refused_by_its_line(name: str, column: str, cell: str, sentence: str, raw: Path) -> None:
    rewrite(raw / name, set_cell(3, column, cell))
    refused(raw, sentence)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (SPLIT, "metadata.csv.gz, line 2: holds an image that mimic-cxr-2.0.0-split.csv.gz does not"),
        (METADATA, "split.csv.gz, line 2: holds an image that mimic-cxr-2.0.0-metadata.csv.gz does not"),
    ],
)
def test_an_image_that_one_of_the_tables_lacks_is_refused(name: str, sentence: str, raw: Path) -> None:
    rewrite(raw / name, lambda cells: cells[1:])
    refused(raw, sentence)


@pytest.mark.parametrize(("name", "what"), [(SPLIT, "an image"), (CHEXPERT, "a study")])
def test_a_line_that_stands_twice_is_refused(name: str, what: str, raw: Path) -> None:
    rewrite(raw / name, lambda cells: [*cells, cells[0]])
    refused(raw, f"line 2: .* holds {what} that other lines hold too")


@pytest.mark.parametrize("name", [METADATA, SPLIT, CHEXPERT])
def test_a_table_without_a_column_or_cut_short_is_refused(name: str, raw: Path) -> None:
    whole = (raw / name).read_bytes()
    rewrite(raw / name, lambda cells: [dict(list(cell.items())[3:]) for cell in cells])
    refused(raw, "has no column")
    (raw / name).write_bytes(whole[:-20])
    refused(raw, "is not a readable CSV table")
    (raw / name).unlink()
    refused(raw, "does not exist")


def test_an_image_file_that_no_table_lists_is_reported_unless_not_looked_for(raw: Path) -> None:
    path = rows(raw)["path"][0]
    extra = str(Path(path).with_name("11111111-11111111-11111111-11111111-11111111.jpg"))
    shutil.copy(raw / path, raw / extra)
    assert read_corpus(Trees.alone(raw), layout()).unlisted == (extra,)
    assert read_corpus(Trees.alone(raw), layout(find_unlisted=False)).unlisted == ()


def test_a_missing_image_keeps_its_row_and_two_builds_have_equal_bytes(raw: Path) -> None:
    missing = rows(raw)["path"][0]
    (raw / missing).unlink()
    folder = RawFolder(raw, layout())
    folder.fetch(InventorySettings(allow_missing=1))
    manifest = folder.build()
    first = manifest.read_bytes()
    assert folder.build().read_bytes() == first
    states = dict(pl.read_parquet(manifest).select("path", "file_state").iter_rows())
    assert [path for path, state in states.items() if state == "missing"] == [missing]
