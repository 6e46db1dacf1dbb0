"""REFLACX: from readings to one row per image."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.mimic import MimicCxrLayout
from pipeline.settings.layouts.mimic_derived import ReflacxLayout
from pipeline.sources.adapter import RawCorpus, read_corpus
from pipeline.sources.gaze.heatmap import as_gray
from pipeline.sources.gaze.labels import FINDING_OF
from pipeline.sources.gaze.readings import image_heatmap
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.cohort import write_cohort
from pipeline.sources.phantom.trees.reflacx import LABELS

ALL = PhantomSource(kind="phantom", patients=24, image_size=40)
SOME = ALL.model_copy(update={"first_patient": 3, "patients": 20})
LAYOUT = ReflacxLayout(format="reflacx", images_of="mimic")
CERTAINTY = {"0": "absent", "1": "absent", "2": "uncertain", "3": "uncertain", "4": "present", "5": "present"}


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    base = tmp_path_factory.mktemp("raw")
    write_cohort(base / "mimic", ALL, "mimic_cxr")
    write_cohort(base / "reflacx", SOME, "reflacx")
    return Trees(base / "reflacx", base / "mimic", base / "reflacx")


@pytest.fixture(scope="module")
def corpus(trees: Trees) -> RawCorpus:
    return read_corpus(trees, LAYOUT)


@pytest.fixture(scope="module")
def metadata(trees: Trees) -> pl.DataFrame:
    tables = [trees.own / "main_data" / f"metadata_phase_{phase}.csv" for phase in FINDING_OF]
    return pl.concat([pl.read_csv(table, infer_schema=False) for table in tables], how="diagonal")


@pytest.fixture
def edited(trees: Trees, tmp_path: Path) -> Callable[[str, str, str], Trees]:
    """Return the tree with the first occurrence of a text in a table replaced."""

    def edit(table: str, old: str, new: str) -> Trees:
        own = tmp_path / "reflacx"
        own.mkdir()
        (own / "main_data").mkdir()
        for path in (trees.own / "main_data").iterdir():
            (own / "main_data" / path.name).symlink_to(path)
        text = (trees.own / "main_data" / table).read_bytes().decode()
        assert old in text
        (own / "main_data" / table).unlink()
        (own / "main_data" / table).write_bytes(text.replace(old, new, 1).encode())
        return Trees(own, trees.images, own)

    return edit


def test_the_phantom_tables_are_the_publishers(trees: Trees) -> None:
    identity = "id,split,eye_tracking_data_discarded,image,dicom_id,subject_id,image_size_x,image_size_y"
    for phase, labels in LABELS.items():
        raw = (trees.own / "main_data" / f"metadata_phase_{phase}.csv").read_bytes()
        assert raw.startswith(f"{identity},{','.join(labels)}\r\n".encode())
        assert list(labels) == sorted(labels)
        assert set(FINDING_OF[phase]) == set(labels) - {"Other", "Quality issue", "Support devices"}


def test_each_image_has_one_row_that_agrees_with_mimic(corpus: RawCorpus, metadata: pl.DataFrame, trees: Trees) -> None:
    assert corpus.rows.schema == ROW_SCHEMA
    assert sorted(corpus.rows["key"]) == sorted(set(metadata["dicom_id"]))
    mimic = read_corpus(Trees.alone(trees.images), MimicCxrLayout(format="mimic_cxr")).rows
    shared = ["key", "patient", "study", "view", "path"]
    assert corpus.rows.select(shared).join(mimic.select(shared), on=shared, how="anti").is_empty()
    assert all((trees.images / path).is_file() for path in corpus.rows["path"])
    named = corpus.rows.select("key", "official_split").join(metadata, left_on="key", right_on="dicom_id")
    words = named["split"].replace({"validate": "val"})
    assert (named["official_split"].cast(pl.String) == words).all()


def test_gaze_names_the_readings_whose_eye_tracking_was_kept(
    corpus: RawCorpus, metadata: pl.DataFrame, trees: Trees
) -> None:
    usable = metadata.filter(pl.col("eye_tracking_data_discarded") == "False")
    assert 0 < usable.height < metadata.height
    listed = corpus.rows.select("key", "gaze").explode("gaze").unnest("gaze").drop_nulls()
    assert sorted(zip(listed["key"], listed["reading"], strict=True)) == sorted(
        zip(usable["dicom_id"], usable["id"], strict=True)
    )
    assert sorted(listed["path"]) == sorted(corpus.attachments)
    assert all((trees.own / path).is_file() for path in corpus.attachments)
    discarded = metadata.filter(pl.col("eye_tracking_data_discarded") == "True")["id"]
    assert not any((trees.own / "main_data" / reading / "fixations.csv").exists() for reading in discarded)


def test_the_log_counts_discarded_readings(
    trees: Trees, metadata: pl.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        read_corpus(trees, LAYOUT)
    discarded = (metadata["eye_tracking_data_discarded"] == "True").sum()
    assert f"{metadata.height} readings of" in caplog.text
    assert f"the eye tracking of {discarded} readings" in caplog.text


def test_a_single_readers_certainty_becomes_presence(corpus: RawCorpus, metadata: pl.DataFrame) -> None:
    single = metadata.filter(pl.len().over("dicom_id") == 1).join(corpus.rows, left_on="dicom_id", right_on="key")
    for label, finding in FINDING_OF[3].items():
        if finding is not None:
            said = single[f"finding_{finding}"].cast(pl.String)
            assert (said == single[label].replace_strict(CERTAINTY)).all()
    assert set(single["finding_fibrosis"]) == {"unknown"}  # not asked in phase 3


def test_five_readers_decide_by_majority(corpus: RawCorpus, metadata: pl.DataFrame) -> None:
    shared = metadata.filter(pl.col("id").str.starts_with("P1"))
    for (image,), readers in shared.group_by("dicom_id"):
        said = [CERTAINTY[certainty] for certainty in readers["Enlarged cardiac silhouette"]]
        most = [word for word in ("present", "absent") if said.count(word) > len(said) / 2]
        row = corpus.rows.row(by_predicate=pl.col("key") == image, named=True)
        assert row["finding_cardiomegaly"] == (most or ["uncertain"])[0]


def test_thresholds_of_certainty_are_settings(trees: Trees, metadata: pl.DataFrame) -> None:
    generous = read_corpus(trees, LAYOUT.model_copy(update={"present_from": 2, "absent_to": 1})).rows
    assert "uncertain" not in set(generous.filter(pl.col("gaze").list.len() == 1)["finding_cardiomegaly"])
    with pytest.raises(ValueError, match="absent_to must be below present_from"):
        ReflacxLayout(format="reflacx", images_of="mimic", present_from=2, absent_to=3)


def test_ellipses_become_boxes_inside_the_image(corpus: RawCorpus, metadata: pl.DataFrame, trees: Trees) -> None:
    boxes = corpus.rows.select("key", "boxes").explode("boxes").drop_nulls().unnest("boxes")
    assert set(boxes["reader"]) <= set(metadata["id"])
    assert {"cardiomegaly", "nodule_or_mass", "Pleural abnormality"} <= set(boxes["label"])
    sizes = boxes.join(metadata.unique("dicom_id"), left_on="key", right_on="dicom_id").cast(
        {"image_size_x": pl.Float32, "image_size_y": pl.Float32}
    )
    assert (sizes["width"] > 0).all()
    assert (sizes["left"] >= 0).all()
    assert (sizes["left"] + sizes["width"] <= sizes["image_size_x"]).all()
    assert (sizes["top"] + sizes["height"] <= sizes["image_size_y"]).all()
    with_chest = read_corpus(trees, LAYOUT.model_copy(update={"chest_boxes": True}))
    chests = with_chest.rows.explode("boxes")["boxes"].struct.field("label").eq("chest").sum()
    assert chests == metadata.height
    assert len(with_chest.tables) == 3 + 2 * metadata.height


def test_an_image_on_which_nobody_drew_has_no_boxes_but_not_an_unknown_number(
    edited: Callable[[str, str, str], Trees], trees: Trees, metadata: pl.DataFrame
) -> None:
    single = metadata.filter(pl.len().over("dicom_id") == 1).row(0, named=True)
    own = edited(FIRST, "id,", "id,").own
    (own / "main_data" / single["id"]).unlink()
    shutil.copytree(trees.own / "main_data" / single["id"], own / "main_data" / single["id"])
    table = own / "main_data" / single["id"] / "anomaly_location_ellipses.csv"
    table.write_text(table.read_text().splitlines()[0] + "\n")
    rows = read_corpus(Trees(own, trees.images, own), LAYOUT).rows
    assert rows["boxes"].null_count() == 0
    assert dict(rows.select("key", "boxes").iter_rows())[single["dicom_id"]] == []


def test_the_readings_of_an_image_make_one_heat_map(corpus: RawCorpus, trees: Trees) -> None:
    row = corpus.rows.filter(pl.col("gaze").list.len() > 2).row(0, named=True)
    paths = [trees.own / reading["path"] for reading in row["gaze"]]
    shares = image_heatmap(paths, "on_image", (50, 40), (25, 20))
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert as_gray(shares).shape == (25, 20)


FIRST = "metadata_phase_3.csv"


@pytest.mark.parametrize(
    ("column", "cell", "sentence"),
    [
        ("image_size_x", "41", "line 2: column 'image_size_x' is not the size of the image in MIMIC-CXR-JPG"),
        ("eye_tracking_data_discarded", "maybe", "line 2: 'maybe' in column 'eye_tracking_data_discarded' is neither"),
        ("image", "files/p10.dcm", "line 2: column 'image' is not the path"),
        ("dicom_id", "0" * 8 + "-00000000" * 4, "line 2: column 'image' is not the path"),
        ("Consolidation", "6", "line 2: '6' in column 'Consolidation' is no certainty from 0 to 5"),
        ("split", "dev", "line 2: column 'split' is none of train, validate"),
        ("id", "../P1", "line 2: column 'id' is no identifier"),
        ("Support devices", "1", "line 2: '1' in column 'Support devices' is neither True nor False"),
    ],
)
def test_a_wrong_cell_is_refused_by_its_line(
    edited: Callable[[str, str, str], Trees], trees: Trees, column: str, cell: str, sentence: str
) -> None:
    header, row = (trees.own / "main_data" / FIRST).read_text().splitlines()[:2]
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    with pytest.raises(UserError, match=rf"metadata_phase_3\.csv, {sentence}") as refused:
        read_corpus(edited(FIRST, row, ",".join((cells | {column: cell}).values())), LAYOUT)
    assert cells["subject_id"] not in str(refused.value)


def test_an_image_that_mimic_does_not_list_is_refused(edited: Callable[[str, str, str], Trees], trees: Trees) -> None:
    row = (trees.own / "main_data" / FIRST).read_text().splitlines()[1]
    image = row.split(",")[4]
    other = "f" * 8 + image[8:]
    with pytest.raises(UserError, match="line 2: the image is not in MIMIC-CXR-JPG's table of images"):
        read_corpus(edited(FIRST, row, row.replace(image, other)), LAYOUT)


def test_tables_without_a_reading_are_refused(trees: Trees, tmp_path: Path) -> None:
    (tmp_path / "main_data").mkdir()
    for phase in FINDING_OF:
        table = f"main_data/metadata_phase_{phase}.csv"
        (tmp_path / table).write_text((trees.own / table).read_text().splitlines()[0] + "\n")
    with pytest.raises(UserError, match="main_data has tables without a reading"):
        read_corpus(Trees(tmp_path, trees.images, tmp_path), LAYOUT)


def test_a_missing_column_is_named(edited: Callable[[str, str, str], Trees]) -> None:
    with pytest.raises(UserError, match=r"metadata_phase_1\.csv has no column 'Nodule'"):
        read_corpus(edited("metadata_phase_1.csv", ",Nodule,", ",Nodules,"), LAYOUT)


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ("9,5,5,20,5", "line 2: '5' in column 'xmax' is not above 'xmin'"),
        ("1,5,5,20,", "line 2: 'None' in column 'certainty' is not a number"),
        ("1,a,5,20,4", "line 2: 'a' in column 'ymin' is not a number"),
    ],
)
def test_a_wrong_ellipse_is_refused_by_file_and_line(
    edited: Callable[[str, str, str], Trees], trees: Trees, cells: str, sentence: str
) -> None:
    reading = (trees.own / "main_data" / FIRST).read_text().splitlines()[1].split(",")[0]
    own = edited(FIRST, "id,", "id,").own
    (own / "main_data" / reading).unlink()
    shutil.copytree(trees.own / "main_data" / reading, own / "main_data" / reading)
    table = own / "main_data" / reading / "anomaly_location_ellipses.csv"
    header = table.read_text().splitlines()[0]
    table.write_text(f"{header}\r\n{cells}{',False' * len(LABELS[3])}\r\n", newline="")
    with pytest.raises(UserError, match=rf"{reading}/anomaly_location_ellipses\.csv, {sentence}"):
        read_corpus(Trees(own, trees.images, own), LAYOUT)
