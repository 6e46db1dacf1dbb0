"""QaTa-COV19-v2: every image shows COVID-19 and has a mask of the infection."""

from pathlib import Path

from pipeline.manifests.vocabulary import ABSENT, PRESENT
from pipeline.settings.layouts.collections import QataCov19Layout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.bimcv import identify
from pipeline.sources.class_folders import (
    Row,
    image_key,
    list_classes,
    list_images,
    list_others,
    manifest_rows,
    match_masks,
    presence_columns,
    relative_paths,
    structure_masks,
    unnamed_patient,
)
from pipeline.sources.locations import Trees

SPLITS = {"Train Set": "train", "Test Set": "test"}
PRESENCE = {"covid19": PRESENT, "no_finding": ABSENT}


def read_corpus(trees: Trees, layout: QataCov19Layout) -> RawCorpus:
    """Read both parts; a mask without an image, or a file that is none, is unlisted, an image without a mask an error.

    Patients are named where images come from BIMCV-COVID19+ and have kept its names.
    """
    root = trees.own
    rows: list[Row] = []
    strays: list[Path] = []
    for part in list_classes(root / layout.folder, SPLITS):
        images = list_images(part / "Images")
        strays += list_others(part / "Images")
        masks, left_over = match_masks(images, part / "Ground-truths", lambda stem: f"mask_{stem}")
        rows += [_row(image, mask, SPLITS[part.name], root) for image, mask in masks.items()]
        strays += left_over
    attachments = [mask["path"] for row in rows for mask in row["masks"]]
    return RawCorpus(manifest_rows(rows, root), (), tuple(attachments), relative_paths(strays, root))


def _row(image: Path, mask: Path, split: str, root: Path) -> Row:
    return {
        "key": image_key(split, image.stem),
        **unnamed_patient("qata_cov19", image.stem),
        **identify(image.stem),
        "path": image.relative_to(root).as_posix(),
        "official_split": split,
        "masks": structure_masks(root, {"infection": mask}),
        **presence_columns(PRESENCE),
    }
