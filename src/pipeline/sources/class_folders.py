"""Sets whose labels are the names of folders: images, masks, and the rows that follow from them."""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.manifests.schema import FINDING_SCHEMA
from pipeline.manifests.vocabulary import UNKNOWN, finding_column
from pipeline.records.errors import UserError
from pipeline.sources.adapter import complete_rows

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")
"""Endings of image files, in lower case; publishers mix cases."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")

Row = dict[str, Any]


def list_images(folder: Path) -> list[Path]:
    """Return the image files right in a folder, by name, whatever the case of their endings.

    Hidden files, as some archivers leave beside each image, are none. Raises `UserError` where the folder is absent.
    """
    _require_folder(folder)
    files = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_ENDINGS)
    return sorted(path for path in files if not path.name.startswith(".") and path.is_file())


def list_others(folder: Path) -> list[Path]:
    """Return what else lies in a folder of images, by name: files of other endings, and all files of sub-folders.

    They may be images that the inventory has to count, or may not belong there. Hidden ones are left out.
    """
    images = set(list_images(folder))
    files = (path for path in folder.rglob("*") if path not in images and path.is_file())
    return sorted(path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def list_classes(folder: Path, known: Collection[str]) -> list[Path]:
    """Return the publisher's folders in `folder`, be they parts or classes, by name.

    Raises `UserError` where one is not among the known, or one of those is absent.
    """
    _require_folder(folder)
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    for path in found:
        if path.name not in known:
            raise UserError(
                f"{path}: '{path.name}' is not one of the publisher's folders ({', '.join(known)}); "
                "rename it or move it away"
            )
    for name in known:
        _require_folder(folder / name)
    return found


def match_masks(
    images: Iterable[Path], folder: Path, mask_stem: Callable[[str], str]
) -> tuple[dict[Path, Path], list[Path]]:
    """Return the mask of each image, and the other files of the folder of masks.

    `mask_stem` turns an image's name without ending into its mask's. Raises `UserError` naming the first image
    without a mask, or two masks for one image.
    """
    masks = _by_stem(list_images(folder))
    matched = {}
    for image in images:
        mask = masks.pop(mask_stem(image.stem), None)
        if mask is None:
            raise UserError(f"{image} has no mask '{mask_stem(image.stem)}.png' in {folder}; put the publisher's there")
        matched[image] = mask
    return matched, [*masks.values(), *list_others(folder)]


def image_key(*parts: str) -> str:
    """Return a sample's key of parts like class and file name: letters, digits, `_` and `-` only.

    A part that holds anything else gets a digest, so that names which differ only there keep keys of their own.
    """
    return "_".join(_safe(part) for part in parts)


def unnamed_patient(population: str, name: str) -> Row:
    """Return the identity of an image of which the publisher tells neither patient, view, sex nor age."""
    patient = f"{population}:{name}"
    return {
        "patient": patient,
        "patient_known": False,
        "study": patient,
        "view": "UNKNOWN",
        "sex": None,
        "age": None,
    }


def presence_columns(presence: Mapping[str, str]) -> Row:
    """Return the columns of a manifest for words on findings, by finding."""
    return {finding_column(finding): word for finding, word in presence.items()}


def relative_paths(paths: Iterable[Path], root: Path) -> tuple[str, ...]:
    """Return paths as an inventory names them, relative to the corpus folder."""
    return tuple(path.relative_to(root).as_posix() for path in paths)


def structure_masks(root: Path, masks: Mapping[str, Path]) -> list[dict[str, str]]:
    """Return masks, by structure, as a manifest holds them."""
    return [{"structure": name, "path": path.relative_to(root).as_posix()} for name, path in masks.items()]


def manifest_rows(rows: Sequence[Row], root: Path) -> pl.DataFrame:
    """Return rows with the schema `ROW_SCHEMA`; a finding that a row says nothing of is `unknown`.

    Raises `UserError` where there is no row.
    """
    if not rows:
        raise UserError(f"{root} holds no image where its publisher has them; correct the corpus's layout settings")
    complete = complete_rows(pl.DataFrame(rows, infer_schema_length=None))
    return complete.with_columns(pl.col(list(FINDING_SCHEMA)).fill_null(UNKNOWN))


def _by_stem(files: Iterable[Path]) -> dict[str, Path]:
    stems: dict[str, Path] = {}
    for path in files:
        if (other := stems.setdefault(path.stem, path)) != path:
            raise UserError(f"{other} and {path.name} share a name; keep one of them")
    return stems


def _safe(part: str) -> str:
    safe = _UNSAFE.sub("-", part)
    if safe == part:
        return part
    return f"{safe.strip('-')}-{hashlib.blake2b(part.encode(), digest_size=4).hexdigest()}"


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(
            f"the folder {folder} does not exist; put the publisher's files there or correct the corpus's layout "
            "settings"
        )
