"""The first two stages on a folder of raw files, as the workflow runs them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.settings.corpora import InventorySettings, LocalSource, SplitSettings
from pipeline.settings.layouts.base import LayoutSettings, Role
from pipeline.sources.locations import Located
from pipeline.stages.build_manifest import build_manifest
from pipeline.stages.fetch_corpus import fetch_corpus

OFFICIAL = SplitSettings(scheme="official")


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
