"""Write a phantom cohort whole or not at all."""

import shutil
from collections.abc import Callable
from pathlib import Path

from pipeline.records.errors import UserError
from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.chexpert_tree import write_chexpert
from pipeline.sources.phantom.nih_cxr14_tree import write_nih_cxr14

WRITERS: dict[str, Callable[[Path, PhantomSource], None]] = {
    "chexpert": write_chexpert,
    "nih_cxr14": write_nih_cxr14,
}
"""By `format` of the corpus layout."""


def write_cohort(root: Path, source: PhantomSource, layout_format: str) -> None:
    """Write the cohort to the folder `root` in a corpus's raw layout, replacing what is there.

    The tree grows in a hidden sibling folder and is renamed at the end, so a reader never meets half a tree;
    what a killed run left there is removed by the next. Raises UserError for a layout that has no phantom.
    """
    if layout_format not in WRITERS:
        known = ", ".join(WRITERS)
        raise UserError(
            f"no phantom cohort can be written in layout '{layout_format}': choose one of {known}, "
            "or a source of kind 'local'"
        )
    scratch = root.with_name(f".{root.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        WRITERS[layout_format](scratch, source)
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
