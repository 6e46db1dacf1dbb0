"""Stage of rule fetch_corpus: raw files in place, and the inventory that says so."""

import logging
from pathlib import Path

from pipeline.settings.corpora import CorpusSettings
from pipeline.sources.adapter import read_corpus
from pipeline.sources.fetch import fetch_raw
from pipeline.sources.inventory import check_inventory, count_states, take_inventory, write_inventory

log = logging.getLogger(__name__)


def fetch_corpus(name: str, settings: CorpusSettings, generated: Path, inventory: Path) -> None:
    """Fetch or generate a corpus and publish its inventory.

    Args:
        name: The corpus's name in the configuration.
        settings: The corpus's settings.
        generated: Folder for raw files that are made here.
        inventory: Parquet file to publish.

    Raises:
        UserError: A table is wrong, or more files are missing or unreadable than allowed.
    """
    root = fetch_raw(settings, name, generated)
    found = take_inventory(root, read_corpus(root, settings.layout), settings.checksums)
    log.info("corpus %s in %s: %s", name, root, count_states(found))
    check_inventory(found, name, root, settings.allow_missing, settings.allow_unreadable)
    write_inventory(found, inventory)
