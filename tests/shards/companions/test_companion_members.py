"""All companions of a sample, from the manifests of real and phantom corpora."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from companion_rows import manifest_row, stored_image, unhashed, whole_mask
from corpus_stages import RawFolder
from PIL import Image

from pipeline.manifests.schema import read_manifest
from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource, ShardSettings, SplitSettings
from pipeline.settings.layouts.collections import OpenmaskLayout
from pipeline.settings.layouts.mimic import MimicCxrLayout
from pipeline.settings.layouts.mimic_derived import CxlsegLayout, ReflacxLayout
from pipeline.shards.companions.members import companion_members
from pipeline.shards.companions.reading import read_boxes, read_mask
from pipeline.shards.images import Stored, read_stored
from pipeline.shards.originals import Originals
from pipeline.sources.phantom.cohort import write_cohort

SIZE = 64
BY_PATIENT = SplitSettings(scheme="patient", test_fraction=0.3)
ALL = ShardSettings(image_size=SIZE)
SMALL = PhantomSource(kind="phantom", patients=6, image_size=96)


def gray(path: Path) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)


def nearest(mask: npt.NDArray[Any], like: Stored) -> npt.NDArray[np.uint8]:
    height, width = like.pixels.shape
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))


def read_image(path: Path) -> Stored:
    return read_stored(path.read_bytes(), path, ALL)


def manifest_rows(corpus: RawFolder) -> list[dict[str, Any]]:
    corpus.fetch()
    rows = read_manifest(corpus.build(BY_PATIENT)).to_dicts()
    assert rows
    return rows


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of MIMIC's images and of what others made of them."""
    base = tmp_path_factory.mktemp("raw")
    for name in ("mimic_cxr", "reflacx", "cxlseg"):
        write_cohort(base / name, SMALL, name)
    return base


def mimic(phantom: Path) -> RawFolder:
    lender = RawFolder(phantom / "mimic_cxr", MimicCxrLayout(format="mimic_cxr"))
    lender.fetch()
    return lender


def test_the_real_radiologists_masks_stand_beside_their_images(real_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "openmask"
    root.symlink_to(real_data / "openmask_cxr")
    layout = OpenmaskLayout(format="openmask", masks_table="masks.csv")
    seen = 0
    for row in manifest_rows(RawFolder(root, layout)):
        stored = read_image(root / row["path"])
        members = companion_members(row, stored, ALL, unhashed(root), "all")
        assert sorted(members) == sorted(["json", *(f"mask.{mask['structure']}.png" for mask in row["masks"])])
        for mask in row["masks"]:
            read = read_mask(members[f"mask.{mask['structure']}.png"])
            np.testing.assert_array_equal(read, nearest(gray(root / mask["path"]), stored))
            seen += 1
    assert seen == 14


def test_masks_published_as_crops_lie_where_they_were_drawn(tmp_path: Path) -> None:
    root = tmp_path / "openmask"
    write_cohort(root, SMALL, "openmask")
    for row in manifest_rows(RawFolder(root, OpenmaskLayout(format="openmask"))):
        stored = read_image(root / row["path"])
        members = companion_members(row, stored, ALL, unhashed(root), "all")
        lungs = [read_mask(members[f"mask.{side}_lung.png"]) for side in ("left", "right")]
        stem = row["path"].replace("/", "_").removesuffix(".jpg")
        truth = {organ: gray(root / "phantom" / "masks" / f"{stem}_{organ}.png") for organ in ("lungs", "heart")}
        np.testing.assert_array_equal(lungs[0] | lungs[1], nearest(truth["lungs"], stored))
        np.testing.assert_array_equal(read_mask(members["mask.cardiomediastinum.png"]), nearest(truth["heart"], stored))


def test_square_jpeg_masks_cover_images_of_any_shape(phantom: Path) -> None:
    corpus = RawFolder(phantom / "cxlseg", CxlsegLayout(format="cxlseg", images_of="mimic"), {"images": mimic(phantom)})
    for row in manifest_rows(corpus):
        stored = read_image(phantom / "mimic_cxr" / row["path"])
        lungs = read_mask(companion_members(row, stored, ALL, unhashed(phantom / "cxlseg"), "all")["mask.lungs.png"])
        assert lungs.shape == stored.pixels.shape
        assert set(np.unique(lungs)) == {0, 255}
        assert stored.pixels[lungs > 0].mean() < stored.pixels[lungs == 0].mean()


def test_a_radiologists_gaze_and_boxes_stand_beside_the_image(phantom: Path) -> None:
    layout = ReflacxLayout(format="reflacx", images_of="mimic")
    rows = manifest_rows(RawFolder(phantom / "reflacx", layout, {"images": mimic(phantom)}))
    with_gaze = 0
    for row in rows:
        stored = read_image(phantom / "mimic_cxr" / row["path"])
        height, width = stored.pixels.shape
        members = companion_members(row, stored, ALL, unhashed(phantom / "reflacx"), "all")
        assert ("gaze.png" in members) == bool(row["gaze"])
        for box in read_boxes(members["json"]):
            assert box.left >= 0
            assert box.top >= 0
            assert box.left + box.width <= width + 0.01
            assert box.top + box.height <= height + 0.01
        if row["gaze"]:
            gaze = read_mask(members["gaze.png"])
            assert gaze.shape == (height, width)
            assert gaze.max() == 255
            with_gaze += 1
    assert with_gaze


@pytest.fixture
def full_row(tmp_path: Path) -> dict[str, Any]:
    """Return a row with every companion but gaze; its files are in the folder of the test."""
    cv2.imwrite(str(tmp_path / "lung.png"), np.eye(40, dtype=np.uint8) * 255)
    box = {"label": "nodule", "reader": None, "left": 1.0, "top": 2.0, "width": 3.0, "height": 4.0}
    return manifest_row(
        report_findings="Clear lungs – no effusion.",
        report_impression="Normal.",
        masks=[whole_mask("lungs", "lung.png"), whole_mask("heart", "lung.png")],
        boxes=[box],
    )


def test_equal_rows_give_equal_members_in_the_order_of_their_names(full_row: dict[str, Any], tmp_path: Path) -> None:
    stored = stored_image((40, 40), (20, 20))
    members = companion_members(full_row, stored, ALL, unhashed(tmp_path), "all")
    assert list(members) == ["findings.txt", "impression.txt", "json", "mask.heart.png", "mask.lungs.png"]
    turned = full_row | {"masks": full_row["masks"][::-1]}
    again = companion_members(turned, stored, ALL, unhashed(tmp_path), "all")
    assert list(again.items()) == list(members.items())
    assert members["findings.txt"].decode() == full_row["report_findings"]


@pytest.mark.parametrize(
    ("companions", "names"),
    [
        ((), ["json"]),
        (("boxes",), ["json"]),
        (("text",), ["findings.txt", "impression.txt", "json"]),
        (("masks", "gaze"), ["json", "mask.heart.png", "mask.lungs.png"]),
    ],
)
def test_only_what_is_wanted_is_stored(
    full_row: dict[str, Any], tmp_path: Path, companions: tuple[str, ...], names: list[str]
) -> None:
    settings = ShardSettings.model_validate({"image_size": 20, "companions": companions})
    members = companion_members(full_row, stored_image((40, 40), (20, 20)), settings, unhashed(tmp_path), "all")
    assert list(members) == names
    assert ("boxes" in json.loads(members["json"])) == ("boxes" in companions)


@pytest.mark.parametrize("empty", [None, []])
def test_what_the_manifest_has_not_makes_no_member(empty: list[Any] | None, tmp_path: Path) -> None:
    row = manifest_row(masks=empty, gaze=empty, report_impression="Normal.")
    members = companion_members(row, stored_image((40, 40), (20, 20)), ALL, unhashed(tmp_path), "all")
    assert list(members) == ["impression.txt", "json"]


@pytest.mark.parametrize("structure", ["left.lung", "left/lung", "left lung", "Lungs", ""])
def test_a_structure_that_no_member_can_be_named_after_is_refused(structure: str, tmp_path: Path) -> None:
    row = manifest_row(masks=[whole_mask(structure, "gone.png")])
    with pytest.raises(
        UserError, match=f"key 'a1' of corpus made: the name of the structure '{structure}' may hold only"
    ):
        companion_members(row, stored_image((40, 40), (20, 20)), ALL, unhashed(tmp_path), "all")


def test_fixations_that_changed_since_their_inventory_are_named(tmp_path: Path) -> None:
    (tmp_path / "fixations.csv").write_text("of another day")
    row = manifest_row(gaze=[{"reading": "R1", "path": "fixations.csv"}])
    own = Originals(tmp_path, {"fixations.csv": "0" * 64})
    with pytest.raises(UserError, match=r"fixations\.csv has changed since the inventory was taken"):
        companion_members(row, stored_image((40, 40), (20, 20)), ALL, own, "all")
