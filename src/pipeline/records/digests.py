"""Digests of files, settings and code: the names by which a number leads back to its origins."""

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = "pipeline"
PACKAGE_ROOT = Path(__file__).resolve().parents[1]
CHANGE_NO_RESULT = frozenset(
    PACKAGE_ROOT / f"{name}.py"
    for name in (
        "records/errors",
        "records/logs",
        "records/progress",
        "records/redaction",
        "training/agent",
        "training/deadline",
        "training/launch",
        "training/lease",
        "training/node_launcher",
        "training/not_a_number",
        "training/out_of_memory",
        "training/ownership",
        "training/parent",
        "training/recipe",
        "training/slurm",
        "training/slurm_step",
        "training/stopping",
        "training/utilisation",
    )
)
"""Files that word what people read, or say when and where a job runs; an edit to them is no reason to compute anything
again."""


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def settings_digest(settings: Any) -> str:
    """Return the sha256 of plain JSON data (dicts, lists, strings, numbers), whatever the order of its keys."""
    canonical = json.dumps(settings, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def unit_hash(text: str) -> float:
    """Hash text to a number in [0, 1): a draw that depends on nothing but its name."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64


def code_digest(entries: Iterable[Path]) -> str:
    """Return the sha256 of what the entry files do: their syntax trees and those of all they import from this package.

    Comments, docstrings and layout do not count, so editing them makes nothing stale; imports of
    other packages do not count either, since the records hold their versions. Raises `SyntaxError`
    where a file does not parse.
    """
    digest = hashlib.sha256()
    for path in sorted(_closure(entries)):
        digest.update(_name(path).encode() + b"\0" + _tree(path).encode() + b"\0")
    return digest.hexdigest()


def reached_files(entries: Iterable[Path]) -> set[Path]:
    """Return the entry files and every file of this package that they import, directly or not."""
    return _closure(entries)


def module_file(module: str) -> Path | None:
    """Return the file of a module of this package, given its dotted name; None where there is none."""
    parts = module.split(".")
    if parts[0] != PACKAGE:
        return None
    base = PACKAGE_ROOT.joinpath(*parts[1:])
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _closure(entries: Iterable[Path]) -> set[Path]:
    waiting = [path.resolve() for path in entries]
    reached: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in reached and path not in CHANGE_NO_RESULT:
            reached.add(path)
            waiting.extend(_imported_files(path))
    return reached


@cache
def _imported_files(path: Path) -> frozenset[Path]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            modules.add(node.module)
            modules.update(f"{node.module}.{alias.name}" for alias in node.names)
    with_parents = {
        ".".join(parts[:length])
        for parts in (module.split(".") for module in modules)
        for length in range(1, len(parts) + 1)
    }
    return frozenset(found for module in with_parents if (found := module_file(module)))


@cache
def _tree(path: Path) -> str:
    return ast.dump(_WithoutStrings().visit(ast.parse(path.read_text())))


def _name(path: Path) -> str:
    inside = path.is_relative_to(PACKAGE_ROOT)
    return path.relative_to(PACKAGE_ROOT).as_posix() if inside else path.name


class _WithoutStrings(ast.NodeTransformer):
    """Drop string statements: docstrings of modules, classes, functions and settings fields."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_string = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_string else node
