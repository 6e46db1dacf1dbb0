"""The stages from a folder of raw files to shards, as the workflow runs them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.settings.corpora import InventorySettings, LocalSource, ShardSettings, SplitSettings
from pipeline.settings.layouts.base import LayoutSettings, Role
from pipeline.shards.index import PARTS
from pipeline.sources.inventory import INVENTORY_SCHEMA, write_inventory
from pipeline.sources.locations import Located, Trees, locate
from pipeline.stages.build_manifest import build_manifest
from pipeline.stages.fetch_corpus import fetch_corpus
from pipeline.stages.index_shards import index_shards
from pipeline.stages.write_shards import write_shards

OFFICIAL = SplitSettings(scheme="official")


def empty_inventory(manifest: Path) -> Path:
    """Publish an inventory beside a manifest that was made without one."""
    inventory = manifest.with_suffix(".inventory")
    write_inventory(INVENTORY_SCHEMA.to_frame(), inventory)
    return inventory


def write_parts(
    trees: Trees,
    settings: ShardSettings,
    manifest: Path,
    folder: Path,
    threads: int = 2,
    inventory: Path | None = None,
) -> list[Path]:
    """Write all tars of a corpus into a folder, part by part; return the tables of the parts."""
    inventory = inventory or empty_inventory(manifest)
    tables = [folder / PARTS / f"{part + 1}-of-{settings.parts}.parquet" for part in range(settings.parts)]
    for part, table in enumerate(tables):
        write_shards(trees, settings, inventory, manifest, part, table, threads)
    return tables


def build_shards(
    trees: Trees | Path,
    settings: ShardSettings,
    manifest: Path,
    index: Path,
    threads: int = 2,
    inventory: Path | None = None,
) -> Path:
    """Write all tars of a corpus beside their index and return it; a folder stands for the trees of a corpus alone."""
    trees = Trees.alone(trees) if isinstance(trees, Path) else trees
    index_shards(write_parts(trees, settings, manifest, index.parent, threads, inventory), manifest, index)
    return index


@dataclass(frozen=True)
class RawFolder:
    """A corpus as it lies on disk; what the stages publish goes beside it."""

    root: Path
    layout: LayoutSettings
    lenders: Mapping[Role, "RawFolder"] = field(default_factory=dict)

    @property
    def inventory(self) -> Path:
        return self.root.parent / "inventory" / f"{self.root.name}.parquet"

    @property
    def located(self) -> Located:
        return Located(LocalSource(kind="local", root=str(self.root)), self.inventory)

    def fetch(self, settings: InventorySettings | None = None) -> Path:
        lenders = {role: lender.located for role, lender in self.lenders.items()}
        fetch_corpus("made", self.located, lenders, self.layout, settings or InventorySettings(), {}, connections=1)
        return self.inventory

    def build(self, splits: SplitSettings = OFFICIAL, others: Mapping[str, Path] | None = None) -> Path:
        manifest = self.root.parent / "manifests" / f"{self.root.name}.parquet"
        lenders = {role: lender.located for role, lender in self.lenders.items()}
        build_manifest("made", self.located, lenders, self.layout, splits, others or {}, manifest)
        return manifest

    def shard(self, settings: ShardSettings, manifest: Path) -> Path:
        index = self.root.parent / "shards" / self.root.name / "index.parquet"
        lenders = {role: lender.located for role, lender in self.lenders.items()}
        return build_shards(locate(self.located, lenders), settings, manifest, index, inventory=self.inventory)
