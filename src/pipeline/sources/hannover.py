"""COVID-19 Image Repository of Hannover Medical School: one table, X-rays of patients with COVID-19."""

from pathlib import Path, PurePosixPath

import polars as pl

from pipeline.manifests.vocabulary import ABSENT, PRESENT, UNKNOWN, finding_column
from pipeline.settings.corpora import HannoverLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.tables import find_images, read_table

COLUMNS = ("patient_id", "image_id", "sex", "icu_admission_offset", "death_offset", "projection")


def read_corpus(root: Path, layout: HannoverLayout) -> RawCorpus:
    """Read the table; a patient with any offset to intensive care was there at some time."""
    raw = read_table(root / layout.table, COLUMNS)
    files = {PurePosixPath(name).stem: path for name, path in find_images(root, layout.images).items()}
    patient = pl.lit("hannover:") + pl.col("patient_id")
    rows = raw.select(
        key=pl.col("image_id"),
        patient=patient,
        study=patient + pl.lit("/") + pl.col("image_id"),
        view=pl.col("projection").replace_strict({"ap": "AP", "pa": "PA"}, default="UNKNOWN"),
        sex=pl.col("sex").replace_strict({"f": "F", "w": "F", "m": "M"}, default=None),
        age=pl.lit(None),
        path=pl.col("image_id").replace(files),
        official_split=pl.lit(None),
        **{
            finding_column("covid19"): pl.lit(PRESENT),
            finding_column("icu_admission"): _ever("icu_admission_offset", ABSENT),
            # The table names deaths but not survivors.
            finding_column("death"): _ever("death_offset", UNKNOWN),
        },
    )
    unlisted = sorted(set(files) - set(raw["image_id"]))
    return RawCorpus(complete_rows(rows), (layout.table,), tuple(files[name] for name in unlisted))


def _ever(offset: str, otherwise: str) -> pl.Expr:
    """Tell whether any image of the patient carries the offset."""
    recorded = pl.col(offset).is_not_null().any().over("patient_id")
    return pl.when(recorded).then(pl.lit(PRESENT)).otherwise(pl.lit(otherwise))
