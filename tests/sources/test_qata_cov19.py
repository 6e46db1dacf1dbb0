"""QaTa-COV19-v2: everyone has COVID-19, every image its mask."""

from pathlib import Path

import cv2
import polars as pl
import pytest

from pipeline.manifests.schema import ROW_SCHEMA
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.layouts.collections import QataCov19Layout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.adapters.qata_cov19 import read_corpus
from pipeline.sources.locations import Trees
from pipeline.sources.phantom.cohort import write_cohort


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_cohort(tmp_path / "raw", PhantomSource(kind="phantom", patients=12, image_size=32), "qata_cov19")
    return tmp_path / "raw"


def read(root: Path, folder: str = "QaTa-COV19-v2") -> RawCorpus:
    return read_corpus(Trees.alone(root), QataCov19Layout(format="qata_cov19", folder=folder))


def test_every_image_has_a_row_with_covid19_and_the_publishers_part(root: Path) -> None:
    rows = read(root).rows
    assert rows.schema == ROW_SCHEMA
    assert set(rows["path"]) == {p.relative_to(root).as_posix() for p in root.glob("QaTa-COV19-v2/*/Images/*.png")}
    assert set(rows["finding_covid19"]) == {"present"}
    assert set(rows["finding_pneumonia"]) == {"unknown"}
    for part, folder in {"train": "Train Set", "test": "Test Set"}.items():
        inside = rows.filter(pl.col("path").str.contains(folder, literal=True))
        assert inside.height
        assert set(inside["official_split"]) == {part}


def test_masks_of_the_infection_lie_on_their_images(root: Path) -> None:
    corpus = read(root)
    for image, (mask,) in corpus.rows.select("path", "masks").iter_rows():
        assert mask["structure"] == "infection"
        drawn = cv2.imread(str(root / mask["path"]), cv2.IMREAD_UNCHANGED)
        assert drawn.shape == cv2.imread(str(root / image), cv2.IMREAD_UNCHANGED).shape
        assert drawn.any()
    assert len(corpus.attachments) == corpus.rows.height


def test_the_view_is_read_where_the_name_tells_it(root: Path) -> None:
    rows = read(root).rows
    named = rows["path"].str.extract(r"_vp-(ap|pa)_").str.to_uppercase().fill_null("UNKNOWN")
    assert rows["view"].cast(pl.String).to_list() == named.to_list()
    assert set(rows["view"]) == {"AP", "PA", "UNKNOWN"}


def test_the_patient_is_read_where_the_name_tells_it(root: Path) -> None:
    rows = read(root).rows
    named = rows.filter(pl.col("path").str.contains("/sub-", literal=True))
    others = rows.filter(~pl.col("path").str.contains("/sub-", literal=True))
    assert (named["patient"] == "bimcv:" + named["path"].str.extract(r"/sub-(S\d{5})_")).all()
    assert (named["study"] == "bimcv:" + named["path"].str.extract(r"_ses-(E\d{5})_")).all()
    assert named["patient_known"].all()
    assert named["patient"].n_unique() < named.height
    assert not others["patient_known"].any()
    assert others["patient"].is_unique().all()


@pytest.mark.parametrize("ending", [".bmp", ".webp", ".dcm", ".TIF", ".txt"])
def test_a_file_of_another_kind_is_counted(root: Path, ending: str) -> None:
    other = next(root.glob("QaTa-COV19-v2/Test Set/Images/*.png")).with_suffix(ending)
    other.touch()
    (other.parent / ".DS_Store").touch()
    assert read(root).unlisted == (other.relative_to(root).as_posix(),)


def test_one_name_in_both_parts_gives_two_keys_but_one_patient(root: Path) -> None:
    train, test = (root / "QaTa-COV19-v2" / part for part in ("Train Set", "Test Set"))
    image = next((train / "Images").glob("covid_*"))
    for folder, name in (("Images", image.name), ("Ground-truths", f"mask_{image.name}")):
        (test / folder / name).write_bytes((train / folder / name).read_bytes())
    rows = read(root).rows
    assert rows["key"].is_unique().all()
    assert rows.filter(~pl.col("patient_known"))["patient"].is_duplicated().sum() == 2


def test_an_image_without_its_mask_is_named(root: Path) -> None:
    mask = next(root.glob("QaTa-COV19-v2/Test Set/Ground-truths/*.png"))
    mask.unlink()
    with pytest.raises(UserError, match=rf"has no mask '{mask.stem}\.png' in .*Ground-truths"):
        read(root)


def test_a_mask_without_its_image_is_counted(root: Path) -> None:
    image = next(root.glob("QaTa-COV19-v2/Test Set/Images/*.png"))
    image.unlink()
    assert read(root).unlisted == (f"QaTa-COV19-v2/Test Set/Ground-truths/mask_{image.name}",)


def test_two_masks_of_one_name_are_refused(root: Path) -> None:
    mask = next(root.glob("QaTa-COV19-v2/Test Set/Ground-truths/*.png"))
    mask.with_suffix(".jpg").write_bytes(mask.read_bytes())
    with pytest.raises(UserError, match="share a name; keep one of them"):
        read(root)


def test_a_part_nobody_knows_is_named(root: Path) -> None:
    (root / "QaTa-COV19-v2" / "Validation Set").mkdir()
    with pytest.raises(UserError, match="'Validation Set' is not one of the publisher's folders"):
        read(root)


def test_a_set_without_images_is_refused(root: Path) -> None:
    for file in root.glob("QaTa-COV19-v2/*/*/*.png"):
        file.unlink()
    with pytest.raises(UserError, match="holds no image where its publisher has them"):
        read(root)


def test_a_root_that_is_the_inner_folder_is_a_matter_of_one_setting(root: Path) -> None:
    assert read(root / "QaTa-COV19-v2", folder=".").rows.height == read(root).rows.height
