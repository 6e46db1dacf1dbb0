"""Bring a corpus's raw files to where they are read from."""

from importlib import import_module
from pathlib import Path

from pipeline.records.errors import UserError
from pipeline.settings.corpora import Layout, LocalSource, Source
from pipeline.sources.locations import PHANTOM_MODULE, raw_root


def fetch_raw(source: Source, layout: Layout, inventory: Path) -> Path:
    """Return the folder of the raw files; a phantom cohort is generated there first.

    Raises `UserError` where a local folder does not exist.
    """
    root = raw_root(source, inventory)
    if not isinstance(source, LocalSource):
        # Imported by name so that an edit to the phantom makes no real corpus stale.
        import_module(PHANTOM_MODULE).write_cohort(root, source, layout.format)
    elif not root.is_dir():
        raise UserError(
            f"the folder {root} does not exist; put the publisher's files there (README, 'Real data') "
            "or correct the corpus's source.root"
        )
    return root
