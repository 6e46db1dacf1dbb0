"""COVID-QU-Ex: part, class and kind of file are names of folders; lungs and infections have masks."""

from pathlib import Path

from pipeline.manifests.vocabulary import ABSENT, PRESENT
from pipeline.settings.layouts.collections import CovidQuExLayout
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

SPLITS = {"Train": "train", "Val": "val", "Test": "test"}
PRESENCE = {
    "COVID-19": {"covid19": PRESENT, "non_covid_pneumonia": ABSENT, "no_finding": ABSENT},
    "Non-COVID": {"covid19": ABSENT, "non_covid_pneumonia": PRESENT, "pneumonia": PRESENT, "no_finding": ABSENT},
    "Normal": {"covid19": ABSENT, "non_covid_pneumonia": ABSENT, "pneumonia": ABSENT, "no_finding": PRESENT},
}
LUNGS, INFECTION = "lung masks", "infection masks"
STRUCTURES = {LUNGS: "lungs", INFECTION: "infection"}


def read_corpus(trees: Trees, layout: CovidQuExLayout) -> RawCorpus:
    """Read one half of the set; a mask without an image is unlisted, an image without a mask an error.

    Patients are named only where images come from BIMCV-COVID19+ and have kept its names; copies of any other
    image in both halves share a patient by their name.
    """
    root = trees.own
    half = root / (layout.lung_folder if layout.part == "lung" else layout.infection_folder)
    rows: list[Row] = []
    strays: list[Path] = []
    for split in list_classes(half, SPLITS):
        for label in list_classes(split, PRESENCE):
            kinds = [LUNGS, INFECTION] if _has_infections(label, layout) else [LUNGS]
            found, left_over = _read_class(label, root, kinds)
            rows += [row | {"official_split": SPLITS[split.name]} for row in found]
            strays += left_over
    attachments = [mask["path"] for row in rows for mask in row["masks"]]
    return RawCorpus(manifest_rows(rows, half), (), tuple(attachments), relative_paths(strays, root))


def _has_infections(label: Path, layout: CovidQuExLayout) -> bool:
    """Tell whether infection masks belong to a class; what has no COVID-19 may come without."""
    return layout.part == "infection" and (label.name == "COVID-19" or (label / INFECTION).is_dir())


def _read_class(label: Path, root: Path, kinds: list[str]) -> tuple[list[Row], list[Path]]:
    images = list_images(label / "images")
    masks, strays = {}, list_others(label / "images")
    for kind in kinds:
        masks[STRUCTURES[kind]], left_over = match_masks(images, label / kind, lambda stem: stem)
        strays += left_over
    return [
        {
            "key": image_key(label.parent.name, label.name, image.stem),
            **unnamed_patient("covid_qu_ex", f"{label.name}/{image.stem}"),
            **identify(image.stem),
            "path": image.relative_to(root).as_posix(),
            "masks": structure_masks(root, {name: of_images[image] for name, of_images in masks.items()}),
            **presence_columns(PRESENCE[label.name]),
        }
        for image in images
    ], strays
