"""ChestX6: part and class are names of folders; some files are altered copies of others."""

import logging
from pathlib import Path

from pipeline.manifests.vocabulary import ABSENT, PRESENT, UNKNOWN
from pipeline.records.errors import UserError
from pipeline.settings.layouts.collections import Chestx6Layout
from pipeline.sources.adapter import RawCorpus
from pipeline.sources.class_folders import (
    Row,
    image_key,
    list_classes,
    list_images,
    list_others,
    manifest_rows,
    presence_columns,
    relative_paths,
    unnamed_patient,
)
from pipeline.sources.locations import Trees
from pipeline.sources.tables import require_own_keys

SPLITS = ("train", "val", "test")
FINDINGS = {
    "Covid-19": "covid19",
    "Emphysema": "emphysema",
    "Normal": "no_finding",
    "Pneumonia-Bacterial": "bacterial_pneumonia",
    "Pneumonia-Viral": "viral_pneumonia",
    "Tuberculosis": "tuberculosis",
}
PNEUMONIA = {"Pneumonia-Bacterial": PRESENT, "Pneumonia-Viral": PRESENT, "Covid-19": UNKNOWN}
"""Of images with COVID-19 nobody says whether they show a pneumonia; the other classes are without."""
AUGMENTED = "augmented_"

log = logging.getLogger(__name__)


def read_corpus(trees: Trees, layout: Chestx6Layout) -> RawCorpus:
    """Read the official parts; altered copies are left out unless the layout keeps them, other files are unlisted."""
    root = trees.own
    parts = list_classes(_only_folder(root, layout.folder), SPLITS)
    labels = [label for part in parts for label in list_classes(part, FINDINGS)]
    images = [image for label in labels for image in list_images(label)]
    copies = [image for image in images if image.name.lower().startswith(AUGMENTED)]
    left_out = set(copies) if layout.augmented == "exclude" else set()
    log.info("%s: %d of %d images are altered copies, %d left out", root, len(copies), len(images), len(left_out))
    rows = [_row(image, root) for image in images if image not in left_out]
    complete = manifest_rows(rows, root)
    require_own_keys(complete, root)
    unlisted = relative_paths((other for label in labels for other in list_others(label)), root)
    return RawCorpus(complete, (), unlisted=unlisted, left_out=relative_paths(sorted(left_out), root))


def _only_folder(root: Path, pattern: str) -> Path:
    found = sorted(path for path in root.glob(pattern) if (path / "train").is_dir())
    if len(found) != 1:
        raise UserError(
            f"{root} has {len(found)} folders that match '{pattern}' and hold 'train', 'val' and 'test', not one; "
            "name it in the corpus's layout settings"
        )
    return found[0]


def _row(image: Path, root: Path) -> Row:
    label, split = image.parent.name, image.parent.parent.name
    presence = {finding: PRESENT if name == label else ABSENT for name, finding in FINDINGS.items()}
    return {
        "key": image_key(split, label, image.stem),
        **unnamed_patient("chestx6", f"{label}/{image.stem}"),
        "path": image.relative_to(root).as_posix(),
        "official_split": split,
        **presence_columns(presence | {"pneumonia": PNEUMONIA.get(label, ABSENT)}),
    }
