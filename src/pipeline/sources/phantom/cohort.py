"""Write a phantom cohort whole or not at all."""

import shutil
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.locations import phantom_module


class TreeWriter(Protocol):
    """Write the phantom cohort in one publisher's layout."""

    def write_tree(self, root: Path, source: PhantomSource) -> None:
        """Write tables and files into the empty folder `root`; equal sources give equal bytes."""
        ...


def write_cohort(root: Path, source: PhantomSource, layout_format: str) -> None:
    """Write the cohort to the folder `root` in a corpus's raw layout, replacing what is there.

    The tree grows in a hidden sibling folder and is renamed at the end, so a reader never meets half a tree;
    what a killed run left there is removed by the next.
    """
    # Imported by name so that an edit to one layout's writer makes only that layout's corpora stale.
    writer = cast(TreeWriter, import_module(phantom_module(layout_format)))
    scratch = root.with_name(f".{root.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        writer.write_tree(scratch, source)
        _replace_tree(root, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replace_tree(root: Path, scratch: Path) -> None:
    """Put `scratch` in the place of `root`; a folder cannot be renamed over one that is not empty."""
    replaced = root.with_name(f".{root.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if root.exists():
        root.rename(replaced)
    scratch.rename(root)
    shutil.rmtree(replaced, ignore_errors=True)
