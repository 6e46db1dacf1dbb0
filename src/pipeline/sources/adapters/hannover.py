"""COVID-19 Image Repository of Hannover Medical School: one table, X-rays of patients with COVID-19."""

import polars as pl

from pipeline.manifests.vocabulary import ABSENT, PRESENT, UNKNOWN, finding_column
from pipeline.settings.layouts.physiology import HannoverLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.image_files import expected_paths, match_images
from pipeline.sources.labs.matrix import lab_lists
from pipeline.sources.locations import Trees
from pipeline.sources.tables import parse_numbers, read_table, require_cells

COLUMNS = ("patient_id", "image_id", "sex", "projection")
OFFSETS = ("icu_admission_offset", "death_offset")

LAB_COLUMNS = {
    "crp_val": "crp",
    "d-dimer_val": "d-dimer",
    "factor_xii_val": "factor_xii",
    "ldh_val": "ldh",
    "lymphocytes_val": "lymphocytes",
    "neutrophils_val": "neutrophils",
    "pco2_val": "pco2",
    "po2_val": "po2",
}
"""The publisher's names of its blood values; -inf and inf are values beyond the detection limits."""


def read_corpus(trees: Trees, layout: HannoverLayout) -> RawCorpus:
    """Read the table; a patient with any offset to intensive care was there at some time.

    Ages are withheld by the publisher. Images are the publisher's PNG files, `png/<image_id>.png`, or whatever
    the layout's glob finds under the same names.
    """
    root = trees.own
    table = root / layout.table
    raw = read_table(table, [*COLUMNS, *OFFSETS, *LAB_COLUMNS])
    require_cells(raw, "image_id", raw["image_id"].is_duplicated(), table, "stands in more than one line")
    raw = raw.with_columns(parse_numbers(raw, column, table) for column in (*OFFSETS, *LAB_COLUMNS))
    paths, unlisted = match_images(root, layout.images, raw["image_id"])
    patient = pl.lit("hannover:") + pl.col("patient_id")
    rows = raw.select(
        key=pl.col("image_id"),
        patient=patient,
        study=patient + pl.lit("/") + pl.col("image_id"),
        view=pl.col("projection").replace_strict({"ap": "AP", "pa": "PA"}, default="UNKNOWN"),
        sex=pl.col("sex").replace_strict({"f": "F", "w": "F", "m": "M"}, default=None),
        age=pl.lit(None),
        path=paths.fill_null(expected_paths(layout.images, raw["image_id"])),
        official_split=pl.lit(None),
        labs=lab_lists(LAB_COLUMNS),
        **{
            finding_column("covid19"): pl.lit(PRESENT),
            finding_column("icu_admission"): _ever("icu_admission_offset", ABSENT),
            # The table names deaths but not survivors.
            finding_column("death"): _ever("death_offset", UNKNOWN),
        },
    )
    return RawCorpus(complete_rows(rows), (layout.table,), unlisted=unlisted)


def _ever(offset: str, otherwise: str) -> pl.Expr:
    """Tell whether any image of the patient carries the offset."""
    recorded = pl.col(offset).is_not_null().any().over("patient_id")
    return pl.when(recorded).then(pl.lit(PRESENT)).otherwise(pl.lit(otherwise))
