from pathlib import Path

import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.chest_xray import ChexchonetLayout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.adapters.chexchonet import read_corpus
from pipeline.sources.inventory import take_inventory
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.trees.chexchonet import write_tree

HEADER = (
    "patient_id,cxr_filename,cxr_time_offset,cxr_year,cxr_path,cxr_pixel_spacing_x,cxr_pixel_spacing_y,age,sex,"
    "ivsd,lvpwd,lvidd,slvh,dlv,composite_slvh_dlv,heart_transplant,lung_transplant,pacemaker_or_icd"
)
ROWS = (
    "p1,p1_00.jpg,0,2014,./cxrs/p1_00.jpg,0.1,0.1,61,M,1.61,1.2,4.4,1,0,1,0,0,1",
    "p1,p1_01.jpg,120,2014,./cxrs/p1_01.jpg,0.1,0.1,62,M,1.1,,6.2,0,1,1,False,True,",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "metadata.csv").write_text("\n".join([HEADER, *ROWS]) + "\n")
    return tmp_path


def read(root: Path) -> RawCorpus:
    return read_corpus(Trees.alone(root), ChexchonetLayout(format="chexchonet"))


def test_diagnoses_and_measurements_are_kept_and_gaps_stay_gaps(root: Path) -> None:
    first, second = read(root).rows.rows(named=True)
    assert read(root).rows.schema == ROW_SCHEMA
    assert first["finding_left_ventricular_hypertrophy"] == "present"
    assert first["finding_dilated_left_ventricle"] == "absent"
    assert second["finding_hypertrophy_or_dilation"] == "present"
    assert (second["finding_heart_transplant"], second["finding_lung_transplant"]) == ("absent", "present")
    assert (first["finding_pacemaker_or_icd"], second["finding_pacemaker_or_icd"]) == ("present", "unknown")
    assert first["labs"] == [{"item": n, "value": v} for n, v in (("ivsd", 1.61), ("lvpwd", 1.2), ("lvidd", 4.4))]
    assert [item["item"] for item in second["labs"]] == ["ivsd", "lvidd"]


def test_patients_are_known_and_each_day_is_a_study(root: Path) -> None:
    rows = read(root).rows
    assert rows["patient"].to_list() == ["chexchonet:p1"] * 2
    assert rows["patient_known"].all()
    assert rows["study"].to_list() == ["chexchonet:p1/0", "chexchonet:p1/120"]
    assert rows.select("sex", "age", "view").rows() == [("M", 61.0, "PA"), ("M", 62.0, "PA")]


def test_a_film_without_measurements_has_no_list_of_them(root: Path) -> None:
    table = root / "metadata.csv"
    table.write_text(table.read_text().replace("1.61,1.2,4.4", ",,"))
    assert read(root).rows["labs"].is_null().to_list() == [True, False]


def test_images_are_found_by_name_in_whatever_folder_and_missed_where_the_table_says(root: Path) -> None:
    (root / "pictures").mkdir()
    for name in ("p1_00.jpg", "p9_00.jpg"):
        (root / "pictures" / name).touch()
    corpus = read(root)
    assert corpus.rows["path"].to_list() == ["pictures/p1_00.jpg", "cxrs/p1_01.jpg"]
    assert corpus.unlisted == ("pictures/p9_00.jpg",)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("M,1.61", "M,thick", r"metadata\.csv, line 2: 'thick' in column 'ivsd' is not a number"),
        ("6.2,0,1", "6.2,0,-1", r"metadata\.csv, line 3: '-1' in column 'dlv' is none of 1, 0 and blank"),
        ("p1,p1_01", ",p1_01", r"metadata\.csv, line 3: column 'patient_id' is empty"),
        ("slvh,dlv", "SLVH,dlv", r"metadata\.csv has no column 'slvh'"),
    ],
)
def test_a_wrong_table_is_refused_by_line(root: Path, old: str, new: str, sentence: str) -> None:
    text = (root / "metadata.csv").read_text()
    assert old in text
    (root / "metadata.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=sentence):
        read(root)


def test_the_phantom_is_whole_and_its_hearts_bear_their_load(tmp_path: Path) -> None:
    write_tree(tmp_path, PhantomSource(kind="phantom", patients=60, image_size=32))
    assert (tmp_path / "metadata.csv").read_text().splitlines()[0] == HEADER
    corpus = read(tmp_path)
    assert set(take_inventory(Trees.alone(tmp_path), corpus, checksums=False)["state"]) == {"present"}
    table = pl.read_csv(tmp_path / "metadata.csv")
    load = pl.read_csv(tmp_path / "phantom" / "truth.csv")["cardiac_load"]
    for measurement in ("ivsd", "lvidd"):
        assert 0.4 < pl.DataFrame({"load": load, "size": table[measurement]}).corr()[0, 1] < 0.95
    assert table.filter((pl.col("slvh") == 1) != ((pl.col("ivsd") > 1.5) | (pl.col("lvpwd") > 1.5))).is_empty()
    assert 0 < table["lvpwd"].null_count() < 0.2 * table.height
    for finding in ("left_ventricular_hypertrophy", "dilated_left_ventricle"):
        assert set(corpus.rows[f"finding_{finding}"]) == {"present", "absent"}


def test_equal_phantom_sources_give_equal_bytes(tmp_path: Path) -> None:
    trees = tmp_path / "one", tmp_path / "two"
    for root in trees:
        root.mkdir()
        write_tree(root, PhantomSource(kind="phantom", patients=4, image_size=32))
    one, two = ({p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()} for root in trees)
    assert one == two
