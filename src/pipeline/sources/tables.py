"""Read publishers' tables and lists, and say precisely what is wrong with them."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from pipeline.records.errors import UserError


def read_table(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    """Read the named columns of a CSV file, optionally gzipped, all as text; blanks are null.

    Raises `UserError` where the file is absent, a needed column is, or a row does not parse.
    """
    require_file(path)
    try:
        table = pl.read_csv(path, infer_schema=False, truncate_ragged_lines=False)
    except (pl.exceptions.ComputeError, pl.exceptions.NoDataError) as error:
        raise UserError(f"{path} is not a readable CSV table: {_first_line(error)}; download it again") from error
    absent = [column for column in columns if column not in table.columns]
    if absent:
        raise UserError(
            f"{path} has no column '{absent[0]}'; its columns are {', '.join(table.columns)}; "
            "use the publisher's original table"
        )
    return table.select(columns)


def read_list(path: Path) -> list[str]:
    """Read the non-empty lines of a text file, optionally gzipped."""
    require_file(path)
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return [line.strip() for line in text.decode().splitlines() if line.strip()]


def find_images(root: Path, pattern: str) -> dict[str, str]:
    """Map the name of each image file that the glob finds to its path relative to `root`.

    Raises `UserError` where two files share a name, since the tables name images by it.
    """
    found: dict[str, str] = {}
    for path in sorted(root.glob(pattern)):
        relative = path.relative_to(root).as_posix()
        if path.name in found:
            raise UserError(f"{root}: '{found[path.name]}' and '{relative}' share a name; keep one of them")
        found[path.name] = relative
    return found


def require_file(path: Path) -> None:
    """Raise `UserError` unless the file exists."""
    if not path.is_file():
        raise UserError(
            f"{path} does not exist; put the publisher's file there or correct the corpus's layout settings"
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
