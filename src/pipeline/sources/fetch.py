"""Bring a corpus's raw files to where they are read from."""

from collections.abc import Mapping
from importlib import import_module

from pipeline.records.errors import UserError
from pipeline.settings.corpora import DownloadSource, LocalSource, PhantomSource, Source
from pipeline.settings.publications import Publication
from pipeline.sources.locations import COHORT_MODULE, DOWNLOAD_MODULE, JOURNAL_MODULE, Located


def fetch_raw(
    located: Located, layout_format: str, publications: Mapping[str, Publication], connections: int
) -> dict[str, str]:
    """Put the raw files in place: generate them, download them, or see that they are there.

    Returns the sha256 of the files that a download has verified, by path. Raises `UserError` where a
    local folder does not exist or a download cannot be completed.
    """
    source, root = located.source, located.root
    # Imported by name so that an edit to the phantom or the downloader makes no other corpus stale.
    if isinstance(source, PhantomSource):
        import_module(COHORT_MODULE).write_cohort(root, source, layout_format)
    elif isinstance(source, DownloadSource):
        for publication in source.publications:
            import_module(DOWNLOAD_MODULE).download(publication, publications[publication], root, connections)
        return dict(import_module(JOURNAL_MODULE).verified_digests(root))
    elif not root.is_dir():
        raise UserError(
            f"the folder {root} does not exist; {remedy(source, publications)}, or correct the corpus's source.root"
        )
    return {}


def remedy(source: Source, publications: Mapping[str, Publication]) -> str:
    """Say how missing files are had: what to download and where to put it, as far as the registry knows."""
    by_hand = [entry for entry in publications.values() if entry.by_hand and not entry.files_url]
    if by_hand and not isinstance(source, PhantomSource):
        ways = (
            f"get {entry.title} {entry.version} from {entry.page} ({entry.access} access): {entry.by_hand.strip(' .')}"
            for entry in by_hand
        )
        return f"{' and '.join(ways)} (the corpus folder is {source.root})"
    if isinstance(source, LocalSource):
        return "put the publisher's files there (README, 'Real data')"
    return "run snakemake with --forcerun fetch_corpus"
