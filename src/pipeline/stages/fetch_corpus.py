"""Stage of rule fetch_corpus: raw files in place, and the inventory that says so."""

import logging
from collections.abc import Mapping

from pipeline.settings.corpora import InventorySettings
from pipeline.settings.layouts.base import LayoutSettings, Role
from pipeline.settings.publications import Publication
from pipeline.sources.adapter import read_corpus
from pipeline.sources.fetch import fetch_raw, remedy
from pipeline.sources.inventory import (
    check_inventory,
    count_states,
    read_digests,
    take_inventory,
    write_inventory,
)
from pipeline.sources.locations import Located, locate

log = logging.getLogger(__name__)


def fetch_corpus(
    name: str,
    own: Located,
    lenders: Mapping[Role, Located],
    layout: LayoutSettings,
    settings: InventorySettings,
    publications: Mapping[str, Publication],
    connections: int,
) -> None:
    """Fetch or generate a corpus and publish its inventory.

    Args:
        name: The corpus's name in the configuration.
        own: Where the raw files come from, and the parquet file to publish.
        lenders: The corpora whose folders hold files of this one, by role.
        layout: How the raw files are laid out.
        settings: How closely they are checked.
        publications: The registry's entries that the source names.
        connections: Downloads at a time.

    Raises:
        UserError: A download cannot be completed, a table is wrong, or more files are missing or
            unreadable than allowed.
    """
    known = fetch_raw(own, layout.format, publications, connections)
    known_images = read_digests(lenders["images"].inventory) if "images" in lenders else known
    trees = locate(own, lenders)
    found = take_inventory(trees, read_corpus(trees, layout), settings.checksums, known, known_images)
    log.info("corpus %s in %s: %s", name, trees.own, count_states(found))
    check_inventory(found, name, trees, settings, remedy(own.source, publications))
    write_inventory(found, own.inventory)
