"""Get a publication's list of files: from this project, from an earlier run, or from the publisher."""

import logging
from dataclasses import replace
from pathlib import Path

from pipeline.records.errors import UserError
from pipeline.records.publish import publish_bytes, publish_text
from pipeline.settings.publications import Publication
from pipeline.sources.download.answers import Wanted, check_answer
from pipeline.sources.download.checksums import ChecksumList, Listed, parse_checksums
from pipeline.sources.download.client import Client
from pipeline.sources.download.retry import Retries
from pipeline.sources.download.selection import select
from pipeline.sources.download.transfer import file_url

log = logging.getLogger("pipeline.sources.download")


def known_list(publication: Publication, folder: Path) -> ChecksumList | None:
    """Return the list as far as it is known without the network: the pinned one, or an earlier run's copy.

    A copy from another address, such as that of another release, does not count.
    """
    if publication.pinned:
        path = Path(publication.checksums)
        if not path.is_file():
            raise UserError(f"the list of files {path} does not exist; correct the registry's checksums")
    else:
        path, origin = _kept(folder)
        if not path.is_file() or not origin.is_file() or origin.read_text().strip() != list_url(publication):
            return None
    return parse_checksums(path.read_bytes(), str(path), publication.access == "open")


def fetch_list(publication: Publication, folder: Path, client: Client, retries: Retries) -> ChecksumList:
    """Fetch the publisher's list and keep a copy beside the journal, once it is seen to be one."""
    wanted = Wanted(url=list_url(publication), label=publication.checksums)

    def attempt() -> bytes:
        with client.get(wanted.url, {}) as response:
            check_answer(response, wanted, publication, retries.clock.today)
            return b"".join(client.blocks(response))

    content = retries.persist(attempt, lambda: 0, f"the list {wanted.url}")
    checksums = parse_checksums(content, wanted.url, publication.access == "open")
    path, origin = _kept(folder)
    publish_bytes(path, content)
    publish_text(origin, f"{wanted.url}\n")
    return replace(checksums, name=str(path))


def list_url(publication: Publication) -> str:
    """Return the address of the publisher's list."""
    return file_url(publication, publication.checksums)


def needed_files(publication: Publication, checksums: ChecksumList) -> list[Listed]:
    """Return the files that the publication's globs choose, with the sha256 that is really to be expected.

    Raises `UserError` for a glob that matches nothing, or a correction of a file that is not listed.
    """
    corrections = publication.known_mismatches
    for path in corrections:
        if path not in checksums.files:
            raise UserError(f"known_mismatches of {publication.title} names '{path}', which {checksums.name} does not")
    chosen = select(checksums, publication.needed)
    corrected = sum(file.path in corrections for file in chosen)
    if corrected:
        log.info("%d files are known to differ from the published list (known_mismatches)", corrected)
    return [file._replace(sha256=corrections.get(file.path, file.sha256)) for file in chosen]


def _kept(folder: Path) -> tuple[Path, Path]:
    """Return where the copy of a list is, and where its address is."""
    return folder / "SHA256SUMS.txt", folder / "SHA256SUMS.url"
