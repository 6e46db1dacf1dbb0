"""QaTa-COV19-v2: every image shows COVID-19 and has a mask of the infection."""

import re
from pathlib import Path

from pipeline.manifests.vocabulary import ABSENT, PRESENT
from pipeline.settings.layouts.collections import QataCov19Layout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.class_folders import (
    Row,
    image_key,
    list_classes,
    list_images,
    manifest_rows,
    match_masks,
    presence_columns,
    structure_masks,
    unnamed_patient,
)
from pipeline.sources.locations import Trees

SPLITS = {"Train Set": "train", "Test Set": "test"}
PRESENCE = {"covid19": PRESENT, "no_finding": ABSENT}
VIEW = re.compile(r"_vp-(ap|pa)(?![a-z])")  # images from BIMCV-COVID19+ keep its names


def read_corpus(trees: Trees, layout: QataCov19Layout) -> RawCorpus:
    """Read both parts; a mask without an image is unlisted, an image without a mask an error."""
    root = trees.own
    rows: list[Row] = []
    strays: list[Path] = []
    for part in list_classes(root / layout.folder, SPLITS):
        images = list_images(part / "Images")
        masks, left_over = match_masks(images, part / "Ground-truths", lambda stem: f"mask_{stem}")
        rows += [_row(image, mask, SPLITS[part.name], root) for image, mask in masks.items()]
        strays += left_over
    attachments = [mask["path"] for row in rows for mask in row["masks"]]
    unlisted = tuple(path.relative_to(root).as_posix() for path in strays)
    return RawCorpus(manifest_rows(rows, root), (), tuple(attachments), unlisted)


def _row(image: Path, mask: Path, split: str, root: Path) -> Row:
    view = VIEW.search(image.stem)
    return {
        "key": image_key(split, image.stem),
        **unnamed_patient("qata_cov19", image.stem),
        "view": view[1].upper() if view else "UNKNOWN",
        "path": image.relative_to(root).as_posix(),
        "official_split": split,
        "masks": structure_masks(root, {"infection": mask}),
        **presence_columns(PRESENCE),
    }
