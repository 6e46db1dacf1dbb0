"""The house: rooms import only rooms above them, and nothing heavy where it is not needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

PACKAGE = REPOSITORY / "src" / "pipeline"
ROOMS = (
    "records",
    "settings",
    "manifests",
    "sources",
    "shards",
    "batches",
    "models",
    "tasks",
    "training",
    "evaluation",
    "reporting",
    "stages",
)
BEFORE_TENSORS = ROOMS[: ROOMS.index("batches")]
ON_GPU_IMAGES = ROOMS[ROOMS.index("batches") : ROOMS.index("reporting")]
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Return the modules a file imports, those inside functions included."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return named | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def test_the_rooms_are_those_of_the_design() -> None:
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(ROOMS)


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) in ROOMS], ids=lambda path: path.stem)
def test_a_room_imports_only_rooms_above_it(path: Path) -> None:
    reached = {name.split(".")[1] for name in imports(path) if name.startswith("pipeline.")}
    below = {name for name in reached if ROOMS.index(name) > ROOMS.index(room(path))}
    assert not below, f"{path} imports {below}"


def test_nothing_in_the_package_knows_snakemake() -> None:
    knowing = [path for path in MODULES if any(name.split(".")[0] == "snakemake" for name in imports(path))]
    assert knowing == []


@pytest.mark.parametrize(
    ("rooms", "forbidden"),
    [(BEFORE_TENSORS, {"torch", "timm"}), (ON_GPU_IMAGES, {"polars", "webdataset", "wfdb", "snakemake"})],
    ids=["planning without torch", "training without table and workflow packages"],
)
def test_heavy_packages_are_not_imported_where_they_may_be_absent(rooms: tuple[str, ...], forbidden: set[str]) -> None:
    modules = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in MODULES if room(path) in rooms
    ]
    statements = "".join(f"import {module}\n" for module in modules)
    check = f"{statements}import sys\nprint(sorted({forbidden!r} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_public_names_have_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module says nothing of itself"
    assert [node.name for node in public(tree) if not ast.get_docstring(node)] == []


def public(scope: ast.Module | ast.ClassDef) -> list[ast.FunctionDef | ast.ClassDef]:
    """Return the public classes and functions of a module, and of its public classes."""
    here = [
        node
        for node in scope.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    return here + [inner for node in here if isinstance(node, ast.ClassDef) for inner in public(node)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_file_holds_more_than_one_idea_can_fill(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


def test_a_script_holds_no_logic() -> None:
    for script in sorted((REPOSITORY / "workflow" / "scripts").glob("*.py")):
        kinds = {type(node) for node in ast.walk(ast.parse(script.read_text()))}
        assert not kinds & {ast.For, ast.While, ast.FunctionDef, ast.Try, ast.Lambda}, script
        assert len(script.read_text().splitlines()) <= 40, script
