"""Where raw files stand, and which module reads or makes them; imports nothing heavy."""

from pathlib import Path

from pipeline.settings.corpora import LocalSource, Source

TAKE_INVENTORY_AGAIN = "run snakemake with --forcerun fetch_corpus"
"""The end of a sentence about raw files that are not those of the inventory."""

PHANTOM_LAYOUTS = ("chexpert", "nih_cxr14")
"""Layouts the phantom cohort is written in."""

PHANTOM_MODULE = "pipeline.sources.phantom.cohort"
"""The module that generates the phantom cohort."""


def adapter_module(layout_format: str) -> str:
    """Return the module that reads a layout."""
    return f"pipeline.sources.{layout_format}"


def raw_root(source: Source, inventory: Path) -> Path:
    """Return the folder of the raw files; those made here stand behind their inventory, in a folder of its name."""
    return Path(source.root) if isinstance(source, LocalSource) else inventory.with_suffix("")
