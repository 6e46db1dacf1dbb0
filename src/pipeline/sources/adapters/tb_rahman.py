"""TB Chest Radiography Database of Rahman et al.: the class is the name of the folder.

Its metadata are not read: they name web sources, neither patients nor findings. Nearly all `Normal` images are from
ChestX-ray14 and RSNA, no `Tuberculosis` image is, so the source alone tells the classes apart.
"""

from pathlib import Path

from pipeline.manifests.vocabulary import ABSENT, PRESENT
from pipeline.settings.layouts.collections import TbRahmanLayout
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

PRESENCE = {
    "Normal": {"tuberculosis": ABSENT, "no_finding": PRESENT},
    "Tuberculosis": {"tuberculosis": PRESENT, "no_finding": ABSENT},
}


def read_corpus(trees: Trees, layout: TbRahmanLayout) -> RawCorpus:
    """Read the two folders, whose files are images or else unlisted; there are no official parts."""
    root = trees.own
    labels = list_classes(root / layout.folder, PRESENCE)
    rows = manifest_rows([_row(image, root) for label in labels for image in list_images(label)], root)
    require_own_keys(rows, root)
    return RawCorpus(rows, (), unlisted=relative_paths((o for label in labels for o in list_others(label)), root))


def _row(image: Path, root: Path) -> Row:
    label = image.parent.name
    return {
        "key": image_key(label, image.stem),
        **unnamed_patient("tb_rahman", f"{label}/{image.stem}"),
        "path": image.relative_to(root).as_posix(),
        "official_split": None,
        **presence_columns(PRESENCE[label]),
    }
