"""Read publishers' tables and lists, and say precisely what is wrong with them."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from pipeline.records.errors import UserError

_BLANKS = [""]  # also in quotes, which some publishers write around every cell


def read_table(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    """Read the named columns of a CSV file, optionally gzipped, all as text; blanks are null, also in quotes.

    Raises `UserError` where the file is absent, a needed column is, or a row does not parse.
    """
    require_file(path)
    try:
        table = pl.read_csv(path, infer_schema=False, null_values=_BLANKS, truncate_ragged_lines=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(f"{path} is not a readable CSV table: {_first_line(error)}; download it again") from error
    absent = [column for column in columns if column not in table.columns]
    if absent:
        raise UserError(
            f"{path} has no column '{absent[0]}'; its columns are {', '.join(table.columns)}; "
            "use the publisher's original table"
        )
    return table.select(columns)


def as_found(root: Path, name: str) -> str:
    """Return the name of a table or list as it lies in the folder: with `.gz` where only that is there."""
    zipped = f"{name}.gz"
    return zipped if not (root / name).is_file() and (root / zipped).is_file() else name


def read_list(path: Path) -> list[str]:
    """Read the non-empty lines of a text file, optionally gzipped."""
    require_file(path)
    raw = path.read_bytes()
    try:
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a readable list: {error}; download it again") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def parse_numbers(table: pl.DataFrame, column: str, path: Path) -> pl.Series:
    """Return a text column as numbers, blanks as null. Raises `UserError` naming the first cell that is none."""
    numbers = table[column].cast(pl.Float64, strict=False)
    wrong = table[column].is_not_null() & numbers.is_null()
    require_cells(table, column, wrong, path, "is not a number")
    return numbers


def require_cells(table: pl.DataFrame, column: str, wrong: pl.Series, path: Path, what: str) -> None:
    """Raise `UserError` naming the first cell, by its line in the file, where `wrong` is true."""
    places = wrong.fill_null(value=False).arg_true()
    if len(places):
        cell, line = table[column][int(places[0])], int(places[0]) + 2
        raise UserError(
            f"{path}, line {line}: '{cell}' in column '{column}' {what}; use the publisher's original table"
        )


def find_images(root: Path, pattern: str) -> dict[str, str]:
    """Map the name of each image file that the glob finds to its path relative to `root`.

    The side files of macOS, `._*` and all below `__MACOSX`, have the endings of the images they belong to, but are
    none; they are passed over. Raises `UserError` where two files share a name, since the tables name images by it.
    """
    found: dict[str, str] = {}
    for path in sorted(root.glob(pattern)):
        if path.name.startswith("._") or "__MACOSX" in path.relative_to(root).parts:
            continue
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


def read_columns(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    """Read only the named columns of a CSV file, as `read_table` does; for large tables, of which few are needed."""
    require_file(path)
    try:
        return pl.scan_csv(path, infer_schema=False, null_values=_BLANKS).select(columns).collect()
    except (pl.exceptions.PolarsError, OSError):
        return read_table(path, columns)  # finds the words for what is wrong


def require_lines(wrong: pl.Series, path: Path, what: str) -> None:
    """Raise `UserError` naming the first line where `wrong` is true, but no cell: cells may identify a person."""
    lines = wrong.fill_null(value=False).arg_true()
    if len(lines):
        raise UserError(f"{path}, line {int(lines[0]) + 2}: {what}; use the publisher's original table")


def require_own_keys(rows: pl.DataFrame, root: Path) -> None:
    """Raise `UserError` naming the first two image files whose names give one key; `rows` have `key` and `path`."""
    shared = rows.filter(pl.col("key").is_duplicated())
    if shared.height:
        one, other, *_ = shared.filter(pl.col("key") == shared["key"][0])["path"]
        raise UserError(f"{root}: the names of '{one}' and '{other}' are too much alike; rename one of them")
