"""Ways to break a raw tree. Each returns a pattern of what the sentence that refuses the tree must name."""

import csv
import gzip
import io
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

Corruption = Callable[[Path], str]
"""Break the corpus in a folder, and return a pattern that the sentence must match."""

TORN = "is in more than one official part"
"""What is said of a patient in two official parts."""


def link_tree(source: Path, target: Path) -> None:
    """Copy a tree by hard links; to change a file, replace it."""
    shutil.copytree(source, target, copy_function=os.link)


def replace(path: Path, content: bytes) -> None:
    """Write a file anew, so that others linked to it stay as they are."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def read_lines(path: Path) -> list[list[str]]:
    """Return the cells of a table, or the words of a list, by line."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return (
        [line.split() for line in text.splitlines()] if path.suffix == ".txt" else list(csv.reader(io.StringIO(text)))
    )


def write_lines(path: Path, lines: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    if path.suffix == ".txt":
        text.writelines(" ".join(words) + "\n" for words in lines)
    else:
        csv.writer(text, lineterminator="\n").writerows(lines)
    replace(path, text.getvalue().encode())


def drop_column(lines: list[list[str]], place: int) -> list[list[str]]:
    return [line[:place] + line[place + 1 :] for line in lines]


def cell(table: str, column: str, value: str, named: str = "") -> Corruption:
    """Write a value into the last row; the sentence must name the column, or else `named`."""

    def corrupt(root: Path) -> str:
        lines = read_lines(root / table)
        lines[-1][lines[0].index(column)] = value
        write_lines(root / table, lines)
        return rf"{_name(root / table)}, line {len(lines)}: .*{re.escape(named or repr(column))}"

    return corrupt


def word(table: str, place: int, value: str) -> Corruption:
    """Write a value into the last entry of a list."""

    def corrupt(root: Path) -> str:
        lines = read_lines(root / table)
        lines[-1][place] = value
        write_lines(root / table, lines)
        return rf"{_name(root / table)}, entry {len(lines)}: .*'{value}'"

    return corrupt


def drawn(pattern: str, column: str, value: str) -> Corruption:
    """Write a value into the last row of the first table that a glob finds."""
    return lambda root: cell(first(root, pattern).relative_to(root).as_posix(), column, value)(root)


def repeated(table: str, column: str = "", value: str = "") -> Corruption:
    """Repeat the last row, or the last one with a value, at the end of its table or list."""

    def corrupt(root: Path) -> str:
        lines = read_lines(root / table)
        place = max(i for i, line in enumerate(lines) if not column or line[lines[0].index(column)] == value)
        write_lines(root / table, [*lines, lines[place]])
        return rf"{_name(root / table)}, (line|entry) ({place + 1}|{len(lines) + 1})\b"

    return corrupt


def repeated_entry(table: str) -> Corruption:
    """Repeat the last entry of a JSON list."""

    def corrupt(root: Path) -> str:
        entries = json.loads((root / table).read_bytes())
        replace(root / table, json.dumps([*entries, entries[-1]]).encode())
        return rf"{_name(root / table)}, entry ({len(entries)}|{len(entries) + 1})\b"

    return corrupt


def stray(path: str, named: str = "") -> Corruption:
    """Put a copy of an image where no table or no class knows of it."""

    def corrupt(root: Path) -> str:
        images = (p for p in sorted(root.rglob(f"*{Path(path).suffix}")) if "phantom" not in p.relative_to(root).parts)
        replace(root / path, next(images).read_bytes())
        return re.escape(named or path)

    return corrupt


def twin(pattern: str, ending: str) -> Corruption:
    """Put a copy of an image beside it, with its name and another ending."""

    def corrupt(root: Path) -> str:
        image = first(root, pattern)
        replace(image.with_suffix(ending), image.read_bytes())
        return re.escape(image.stem)

    return corrupt


def copied(pattern: str, folder: str) -> Corruption:
    """Put a copy of a file, under its own name, into another folder."""

    def corrupt(root: Path) -> str:
        file = first(root, pattern)
        replace(root / folder / file.name, file.read_bytes())
        return re.escape(file.stem)

    return corrupt


def deleted(pattern: str, named: str = "") -> Corruption:
    """Take away the first file that a glob finds."""

    def corrupt(root: Path) -> str:
        file = first(root, pattern)
        file.unlink()
        return named or re.escape(file.name)

    return corrupt


def together(*corruptions: Corruption) -> Corruption:
    """Break several things; the sentence must match the pattern of the last."""
    return lambda root: [corrupt(root) for corrupt in corruptions][-1]


def spread(table: str, image: str, column: str, parts: tuple[str, str]) -> Corruption:
    """Put every second image of a table into another part than the one before."""

    def corrupt(root: Path) -> str:
        header, *lines = read_lines(root / table)
        images = list(dict.fromkeys(line[header.index(image)] for line in lines))
        for line in lines:
            line[header.index(column)] = parts[images.index(line[header.index(image)]) % 2]
        write_lines(root / table, [header, *lines])
        return TORN

    return corrupt


def borrowed_cell(source: str, target: str, column: str) -> Corruption:
    """Write the first row's value of one table into the last row of another."""

    def corrupt(root: Path) -> str:
        header, line, *_ = read_lines(root / source)
        cell(target, column, line[header.index(column)])(root)
        return TORN

    return corrupt


def borrowed_word(source: str, target: str, place: int) -> Corruption:
    """Write the first entry's word of one list into the last entry of another."""

    def corrupt(root: Path) -> str:
        word(target, place, read_lines(root / source)[0][place])(root)
        return TORN

    return corrupt


def second_view(source: str, target: str, column: str, renamed: tuple[str, str]) -> Corruption:
    """Give the patient of one table's last row an image of another name in another table."""

    def corrupt(root: Path) -> str:
        header, *lines = read_lines(root / source)
        line, place = lines[-1], header.index(column)
        old = line[place]
        new = re.sub(*renamed, old).replace(f"/{Path(source).stem}/", f"/{Path(target).stem}/")
        write_lines(root / target, [*read_lines(root / target), [*line[:place], new, *line[place + 1 :]]])
        inside = [path.partition("/")[2] for path in (old, new)]
        replace(root / inside[1], (root / inside[0]).read_bytes())
        return TORN

    return corrupt


def moved_line(source: str, target: str, patient: Callable[[list[str]], str]) -> Corruption:
    """Move the last line whose patient has an earlier one from one list to another."""

    def corrupt(root: Path) -> str:
        lines = read_lines(root / source)
        place = max(i for i, line in enumerate(lines) if patient(line) in map(patient, lines[:i]))
        write_lines(root / target, [*read_lines(root / target), lines.pop(place)])
        write_lines(root / source, lines)
        return TORN

    return corrupt


def longer(array: str) -> Corruption:
    """Add a row to an array."""

    def corrupt(root: Path) -> str:
        rows = np.load(root / array)
        (root / array).unlink()
        np.save(root / array, np.concatenate([rows, rows[-1:]]))
        return _name(root / array)

    return corrupt


def first(root: Path, pattern: str) -> Path:
    return min(root.glob(pattern))


def _name(path: Path) -> str:
    return re.escape(path.name)
