"""View, sex and age from DICOM headers, for sets whose tables say nothing of them."""

import re
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

import polars as pl

from pipeline.manifests.vocabulary import SEXES
from pipeline.sources.dicom_headers import read_header

OLDEST = 120.0
"""Years; some headers of the RSNA challenge say 150."""

_THREADS = 8  # enough to hide the latency of network storage
_VIEWS = {"AP": "AP", "PA": "PA", "LL": "LATERAL", "RL": "LATERAL", "LAT": "LATERAL", "LATERAL": "LATERAL"}
_AGE = re.compile(r"(?P<number>\d{1,3})(?P<unit>[YMWD]?)")
_PER_YEAR = {"Y": 1.0, "": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}


class Demographics(NamedTuple):
    """Hold what a header says; null where it says nothing that can be used."""

    view: str | None = None
    sex: str | None = None
    age: float | None = None


def read_demographics(root: Path, paths: pl.Series) -> pl.DataFrame:
    """Return the columns `view`, `sex` and `age` (years) of files below `root`; null for what is no DICOM file."""
    with ThreadPool(_THREADS) as pool:
        found = pool.map(_read, [root / path for path in paths], chunksize=64)
    schema = {"view": pl.String, "sex": pl.String, "age": pl.Float32}
    return pl.DataFrame(found, schema=schema, orient="row")


def parse_age(text: str) -> float | None:
    """Return an Age String (PS3.5 6.2) in years; None for none, for zero years and for ages nobody reaches."""
    match = _AGE.fullmatch(text)
    years = float(match["number"]) / _PER_YEAR[match["unit"]] if match else 0.0
    return years if 0 < years <= OLDEST else None


def _read(path: Path) -> Demographics:
    try:
        with path.open("rb") as stream:
            header = read_header(stream)
    except (OSError, ValueError):
        return Demographics()  # the inventory says what is wrong with the file
    first_word = (header.view or header.patient_position).partition(" ")[0]
    return Demographics(_VIEWS.get(first_word), header.sex if header.sex in SEXES else None, parse_age(header.age))
