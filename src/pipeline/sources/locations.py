"""Where raw files stand, and which module reads or makes them; imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.settings.corpora import PhantomSource, Source
from pipeline.settings.layouts.base import Role

TAKE_INVENTORY_AGAIN = "run snakemake with --forcerun fetch_corpus"
"""The end of a sentence about raw files that are not those of the inventory."""

COHORT_MODULE = "pipeline.sources.phantom.cohort"
"""The module that puts a phantom tree in place."""

DOWNLOAD_MODULE = "pipeline.sources.download.fetch"
"""The module that downloads published corpora."""

JOURNAL_MODULE = "pipeline.sources.download.journal"
"""The module that knows which files a download has verified."""


@dataclass(frozen=True)
class Trees:
    """Name the folders that a corpus is read from."""

    own: Path
    """The corpus's own folder: tables, masks, fixations."""
    images: Path
    """What image paths are relative to: the own folder, or another corpus's."""
    ecg: Path
    """What ECG paths are relative to: the own folder, or another corpus's."""

    @classmethod
    def alone(cls, own: Path) -> "Trees":
        """Return the trees of a corpus that borrows nothing."""
        return cls(own, own, own)


@dataclass(frozen=True)
class Located:
    """Name a corpus's source and its inventory, from which its folder follows."""

    source: Source
    inventory: Path

    @property
    def root(self) -> Path:
        """Return the folder of the raw files."""
        return raw_root(self.source, self.inventory)


def adapter_module(layout_format: str) -> str:
    """Return the module that reads a layout."""
    return f"pipeline.sources.adapters.{layout_format}"


def phantom_module(layout_format: str) -> str:
    """Return the module that writes the phantom cohort in a layout."""
    return f"pipeline.sources.phantom.trees.{layout_format}"


def raw_root(source: Source, inventory: Path) -> Path:
    """Return the folder of the raw files; those made here stand behind their inventory, in a folder of its name."""
    return inventory.with_suffix("") if isinstance(source, PhantomSource) else Path(source.root)


def locate(own: Located, lenders: Mapping[Role, Located]) -> Trees:
    """Return the folders of a corpus; `lenders` are the corpora it borrows from, by role."""
    folders = {role: lender.root for role, lender in lenders.items()}
    return Trees(own.root, folders.get("images", own.root), folders.get("ecg", own.root))
