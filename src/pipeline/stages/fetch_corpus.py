"""Stage of rule fetch_corpus: raw files in place, and the inventory that says so."""

import logging
from pathlib import Path

from pipeline.settings.corpora import InventorySettings, Layout, Source
from pipeline.sources.adapter import read_corpus
from pipeline.sources.fetch import fetch_raw
from pipeline.sources.inventory import check_inventory, count_states, take_inventory, write_inventory

log = logging.getLogger(__name__)


def fetch_corpus(name: str, source: Source, layout: Layout, settings: InventorySettings, inventory: Path) -> None:
    """Fetch or generate a corpus and publish its inventory.

    Args:
        name: The corpus's name in the configuration.
        source: Where the raw files come from.
        layout: How they are laid out.
        settings: How closely they are checked.
        inventory: Parquet file to publish.

    Raises:
        UserError: A table is wrong, or more files are missing or unreadable than allowed.
    """
    root = fetch_raw(source, layout, inventory)
    found = take_inventory(root, read_corpus(root, layout), settings.checksums)
    log.info("corpus %s in %s: %s", name, root, count_states(found))
    check_inventory(found, name, root, settings)
    write_inventory(found, inventory)
