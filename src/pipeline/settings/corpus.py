"""Settings of one corpus, from its raw files to its shards."""

from pipeline.settings.base import Settings
from pipeline.settings.corpora import InventorySettings, PhantomSource, ShardSettings, Source, SplitSettings
from pipeline.settings.layouts.base import LayoutSettings
from pipeline.settings.layouts.union import Layout


def is_confidential(source: Source, layout: LayoutSettings) -> bool:
    """Tell whether a corpus may not show in logs and reports: it is real, and its publisher asks for an agreement."""
    return layout.access != "open" and not isinstance(source, PhantomSource)


class CorpusSettings(Settings):
    """Describe one corpus from its raw files to its shards."""

    source: Source
    """Where the raw files come from."""
    layout: Layout
    """How the raw files are laid out."""
    inventory: InventorySettings = InventorySettings()
    """How the raw files are checked."""
    splits: SplitSettings
    """How patients are split."""
    shards: ShardSettings | None = None
    """How images are stored; without it the corpus has a manifest but no shards."""
