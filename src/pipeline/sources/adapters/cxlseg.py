"""CXLSeg: lung masks, by a U-Net, of MIMIC-CXR-JPG's original images (spec PaCX 1.8, defect 11, and 1.10)."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.records.digests import unit_hash
from pipeline.records.errors import UserError
from pipeline.settings.layouts.mimic_derived import CxlsegLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.locations import Trees
from pipeline.sources.mimic_images import identity, pair_with_images, read_images
from pipeline.sources.mimic_tables import read_split
from pipeline.sources.tables import read_table, require_lines

MASK_PATH = r"(?:^|/)p(?<subject_id>1\d{7})/s(?<study_id>5\d{7})/(?<dicom_id>[0-9a-f-]{44})-mask\.jpg$"
BLACK = 12
"""Gray levels up to this are black: JPEG leaves ripples beside a mask's border."""
WITHIN = 0.98
"""Share of the lit area inside the mask from which an image counts as segmented; segmented ones have 0.9999."""
COVERED = 0.5
"""Least share of the mask that is lit in a segmented image; some of a lung is as black as what was cut away."""

Gray = npt.NDArray[np.uint8]


def read_corpus(trees: Trees, layout: CxlsegLayout) -> RawCorpus:
    """Read the masks' table and pair each mask with the original image.

    The publisher's own `<dicom>.jpg` are black outside the lungs and never read. Raises `UserError` where the
    images in the folder of MIMIC-CXR-JPG are of that kind, since finding the lungs in them is trivial.
    """
    table = trees.own / layout.mask_table
    raw = read_table(table, ["DicomPath"])
    named = raw.select(pl.col("DicomPath").str.extract_groups(MASK_PATH)).unnest("DicomPath")
    require_lines(named["dicom_id"].is_null(), table, "column 'DicomPath' is no path of a mask below files/")
    repeated = named["dicom_id"].is_duplicated()
    require_lines(repeated, table, "column 'DicomPath' names a mask that another line names")
    paired = pair_with_images(named, read_images(trees, layout), table)
    parts = read_split(trees.own / layout.split_table)
    masked = paired.join(parts, on="dicom_id", how="left", maintain_order="left").with_columns(
        mask=pl.col("path").str.replace(r"\.jpg$", "-mask.jpg")
    )
    _refuse_masked_images(masked, trees, layout)
    masks = pl.concat_list(pl.struct(structure=pl.lit("lungs"), path=pl.col("mask")))
    rows = masked.select(**identity(), official_split="official_split", masks=masks)
    return RawCorpus(complete_rows(rows), (layout.mask_table, layout.split_table), tuple(masked["mask"]))


def is_masked_image(image: Gray, mask: Gray) -> bool:
    """Tell whether what is lit of an image, [H, W], is the area of its mask, [h, w]: it was blackened outside.

    Both hold gray values 0 to 255. The image is brought to the mask's size, and the mask's pixels above 127 belong
    to the structure. The chest wall of an original image is lit and outside.
    """
    height, width = mask.shape
    lit = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) > BLACK
    inside = mask > 127
    both = np.count_nonzero(lit & inside)
    return bool(both > WITHIN * np.count_nonzero(lit) and both > COVERED * np.count_nonzero(inside))


def _refuse_masked_images(masked: pl.DataFrame, trees: Trees, layout: CxlsegLayout) -> None:
    order = pl.Series([unit_hash(f"cxlseg:{key}") for key in masked["dicom_id"]])
    sample = masked.with_row_index("line", offset=2).sort(order).head(layout.checked_images)
    for line, image, mask in sample.select("line", "path", "mask").iter_rows():
        pair = [_gray(trees.images / image), _gray(trees.own / mask)]
        if pair[0] is not None and pair[1] is not None and is_masked_image(pair[0], pair[1]):
            raise UserError(
                f"{trees.own / layout.mask_table}, line {line}: the image below {trees.images} is black outside its "
                "lung mask, so it is CXLSeg's segmented image and not the original; restore the images of "
                "MIMIC-CXR-JPG there, or name another corpus in images_of"
            )


def _gray(path: Path) -> Gray | None:
    """Return an image; None where the file is missing or unreadable, which the inventory counts."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if path.is_file() else None
    return None if image is None else np.asarray(image, np.uint8)
