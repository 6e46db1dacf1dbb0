"""COVID-19 Chest X-ray Segmentations of General Blockchain: one table row per mask that radiologists drew."""

from itertools import chain
from pathlib import Path

import polars as pl

from pipeline.manifests.vocabulary import PRESENT, SEXES, UNKNOWN, finding_column
from pipeline.records.errors import UserError
from pipeline.settings.layouts.collections import OpenmaskLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.class_folders import image_key, list_images, list_others, relative_paths
from pipeline.sources.locations import Trees
from pipeline.sources.tables import parse_numbers, read_table, require_cells

FINDINGS = {
    "consolidation": ("consolidation",),
    "lung_opacity": ("ground_glass_opacities",),
    "pleural_effusion": ("pleural_effusion",),
    "pneumothorax": ("pneumothorax",),
    "support_devices": (
        "central_venous_line",
        "chest_tube",
        "endotracheal_tube",
        "monitoring_probes",
        "nosogastric_tube",
        "tubings",
    ),
}
"""Structures that show a finding, spelled as the publisher does; what nobody drew is unknown, not absent."""
ANATOMY = ("airways", "cardiomediastinum", "left_lung", "right_lung")
STRUCTURES = sorted({*ANATOMY, *chain.from_iterable(FINDINGS.values())})

VIEWS = {"PA": "PA", "AP": "AP", "AP Supine": "AP", "L": "LATERAL"}
PERSON = ("patientid", "sex", "age", "view", "filename")


def read_corpus(trees: Trees, layout: OpenmaskLayout) -> RawCorpus:
    """Read the table into one row per image, with the masks in the table's order.

    Masks are crops placed at `left` and `top` in the publisher's form, and as large as their images in the prepared
    one. The publisher's are RGBA, opaque everywhere: drawn is what is not black. A structure may have several masks
    in an image; one that a row names without a mask counts as present. The diagnoses in column `finding` are not
    read: they are those of the cases, not seen in the images.
    """
    root = trees.own
    if layout.masks_table is None:
        tables: tuple[str, ...] = (layout.structures, layout.metadata)
        drawn = _published(root / layout.structures, root / layout.metadata, layout.images)
    else:
        tables = (layout.masks_table,)
        drawn = _prepared(root / layout.masks_table)
    if drawn.is_empty():
        raise UserError(f"{root / tables[0]} names no image; use the publisher's original table")
    folder = root / layout.images
    files = [*list_images(folder), *list_others(folder)] if folder.is_dir() else []
    listed = {*drawn["image"], *tables}
    unlisted = tuple(path for path in relative_paths(files, root) if path not in listed)
    return RawCorpus(_image_rows(drawn), tables, tuple(drawn["path"].drop_nulls()), unlisted)


def _published(table: Path, metadata: Path, folder: str) -> pl.DataFrame:
    """Return the drawn structures of the publisher's form, with the patients of the ieee8023 collection."""
    raw = read_table(table, ["#", "Template Name", "Filename", "Mask", "Top", "Left"])
    require_cells(raw, "#", ~raw["#"].is_first_distinct(), table, "has a line above too")
    structure = raw["Template Name"].str.to_lowercase().str.replace_all(" ", "_", literal=True)
    _check_drawn(raw, table, image="Filename", structure="Template Name", words=structure, mask="Mask")
    persons = _persons(metadata)
    known = raw["Filename"].is_in(persons["filename"].to_list())
    require_cells(raw, "Filename", ~known, table, f"is not in {metadata}")
    drawn = raw.with_columns(structure, _places(raw, "Left", table), _places(raw, "Top", table))
    return drawn.join(persons, left_on="Filename", right_on="filename", maintain_order="left").select(
        image=pl.format("{}/{}", pl.lit(folder), "Filename"),
        structure="Template Name",
        path="Mask",
        left=pl.when(pl.col("Mask").is_not_null()).then("Left"),
        top=pl.when(pl.col("Mask").is_not_null()).then("Top"),
        patient=pl.format("ieee8023:{}", "patientid"),
        patient_known=pl.lit(value=True),
        study=pl.format("ieee8023:{}/{}", "patientid", _stem("Filename")),
        view=pl.col("view").replace_strict(VIEWS, default="UNKNOWN"),
        sex=pl.when(pl.col("sex").is_in(SEXES)).then("sex"),
        age="age",
    )


def _persons(metadata: Path) -> pl.DataFrame:
    """Return who is in each image of the collection; not all of them are here."""
    raw = read_table(metadata, PERSON)
    require_cells(raw, "filename", raw["filename"].is_null(), metadata, "names no file")
    require_cells(raw, "filename", ~raw["filename"].is_first_distinct(), metadata, "has a line above too")
    require_cells(raw, "patientid", raw["patientid"].is_null(), metadata, "names no patient")
    return raw.with_columns(parse_numbers(raw, "age", metadata))


def _prepared(table: Path) -> pl.DataFrame:
    """Return the drawn structures of the prepared form: masks of the whole image, patients unknown."""
    raw = read_table(table, ["image", "mask", "cls", "view"])
    _check_drawn(raw, table, image="image", structure="cls", words=raw["cls"], mask="mask")
    require_cells(raw, "mask", raw["mask"].is_null(), table, "names no file")
    other = raw.select(pl.col("view").ne_missing(pl.col("view").first().over("image"))).to_series()
    require_cells(raw, "view", other, table, "is not the view that another line has for the same image")
    patient = pl.format("openmask:{}", _stem("image"))
    return raw.select(
        image="image",
        structure="cls",
        path="mask",
        left=pl.lit(None),
        top=pl.lit(None),
        patient=patient,
        patient_known=pl.lit(value=False),
        study=patient,
        view=pl.col("view").replace_strict(VIEWS, default="UNKNOWN"),
        sex=pl.lit(None),
        age=pl.lit(None),
    )


def _check_drawn(raw: pl.DataFrame, table: Path, *, image: str, structure: str, words: pl.Series, mask: str) -> None:
    """Raise `UserError` naming the first cell without image, of no known structure, or with a mask used before."""
    require_cells(raw, image, raw[image].is_null(), table, "names no file")
    known = words.is_in(STRUCTURES).fill_null(value=False)
    require_cells(raw, structure, ~known, table, f"is none of {', '.join(STRUCTURES)}")
    repeated = raw[mask].is_not_null() & ~raw[mask].is_first_distinct()
    require_cells(raw, mask, repeated, table, "has a line above too")


def _places(raw: pl.DataFrame, column: str, table: Path) -> pl.Series:
    """Return where crops begin, in pixels of their images."""
    numbers = parse_numbers(raw, column, table)
    whole = (numbers >= 0) & (numbers == numbers.floor())
    require_cells(raw, column, ~whole.fill_null(value=False), table, "is not a pixel of the image")
    return numbers


def _stem(column: str) -> pl.Expr:
    return pl.col(column).str.replace(r"^.*/", "").str.replace(r"\.[^.]*$", "")


def _image_rows(drawn: pl.DataFrame) -> pl.DataFrame:
    masks = pl.struct("structure", "path", "left", "top").filter(pl.col("path").is_not_null())
    rows = drawn.group_by(pl.col("image").alias("path"), maintain_order=True).agg(
        pl.col("patient", "patient_known", "study", "view", "sex", "age").first(),
        masks=masks,
        official_split=pl.lit(None),
        **{finding_column(finding): _said(structures) for finding, structures in FINDINGS.items()},
    )
    keys = [image_key(stem) for stem in rows.select(_stem("path")).to_series()]
    return complete_rows(rows.with_columns(key=pl.Series(keys)))


def _said(structures: tuple[str, ...]) -> pl.Expr:
    seen = pl.col("structure").is_in(structures).any()
    return pl.when(seen).then(pl.lit(PRESENT)).otherwise(pl.lit(UNKNOWN))
