"""Download what a publication says is needed, and nothing twice."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

from pipeline.records.errors import UserError
from pipeline.settings.publications import Publication
from pipeline.sources.download.archives import unpack_archives
from pipeline.sources.download.checksums import ChecksumList, Listed
from pipeline.sources.download.client import Client
from pipeline.sources.download.credentials import find_credentials
from pipeline.sources.download.disk import require_space
from pipeline.sources.download.journal import JOURNAL, STATE_FOLDER, Journal
from pipeline.sources.download.listing import fetch_list, known_list, needed_files
from pipeline.sources.download.lock import locked
from pipeline.sources.download.policy import Clock, TransferPolicy
from pipeline.sources.download.progress import report_progress
from pipeline.sources.download.retry import Retries
from pipeline.sources.download.session import Session
from pipeline.sources.download.survey import Survey, survey
from pipeline.sources.download.transfer import Transfer
from pipeline.sources.download.workers import work_through

log = logging.getLogger("pipeline.sources.download")


def download(
    name: str,
    publication: Publication,
    root: Path,
    connections: int,
    policy: TransferPolicy = TransferPolicy(),  # noqa: B008 - frozen
    clock: Clock = Clock(),  # noqa: B008 - holds nothing
) -> None:
    """Bring the needed files of a publication into the folder `root`, each verified against the list of checksums.

    What is there and verified is not fetched again, and without anything to fetch neither network nor
    credentials are used. A run that is stopped, in whatever way, leaves no file under its name that
    is not whole, and the next run goes on where it stopped. What is unpacked from archives is kept whole likewise.

    Args:
        name: The publication's name in the registry; the downloader's records stand in `root/.download/name`.
        publication: What to fetch, and from where.
        root: The corpus folder; made where it does not exist.
        connections: Files fetched at a time.
        policy: How long to be patient with network and publisher.
        clock: What waiting is done by.

    Raises:
        UserError: The set is to be had by hand and the folder does not exist; credentials are missing or refused;
            the disk is too small; a file cannot be fetched or does not verify; an archive cannot be unpacked.
    """
    if publication.files_url is None:
        _require_folder(publication, root)
        return
    folder = root / STATE_FOLDER / name
    with _failing_by_name(root), locked(root / STATE_FOLDER), Journal(folder / JOURNAL) as journal:
        files = _Download(publication, publication.files_url, root, folder, connections, policy, clock, journal).bring()
        unpack_archives(files, publication.unpack, root, journal)


def _require_folder(publication: Publication, root: Path) -> None:
    if not root.is_dir():
        raise UserError(
            f"{publication.title} {publication.version} cannot be fetched by the pipeline and {root} does not exist: "
            f"{publication.by_hand} (page: {publication.page}; folder: {root})"
        )


@contextmanager
def _failing_by_name(root: Path) -> Iterator[None]:
    """Turn what the disk refuses into one sentence that names the corpus folder only: a file's name may be private."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(f"cannot read or write in {root}: {reason}; mend that and run again") from None


@dataclass(frozen=True)
class _Download:
    """Hold what the steps of one download have in common."""

    publication: Publication
    home: str
    root: Path
    folder: Path
    connections: int
    policy: TransferPolicy
    clock: Clock
    journal: Journal
    stop: Event = field(default_factory=Event)

    def bring(self) -> list[Listed]:
        """Return the needed files once all of them are there."""
        known = known_list(self.publication, self.folder)
        plan = self._plan(known) if known else None
        if plan is None or plan.there.missing:
            session = self._log_in()
            if plan is None or not self.publication.pinned:
                plan = self._plan_again(plan, session)
            require_space(self.root, self.publication, plan.there.bytes_there, self.policy)
            self._fetch(plan, session)
        log.info("all %d needed files of %s are in %s, verified", len(plan.files), self.publication.title, self.root)
        return plan.files

    def _log_in(self) -> Session:
        is_open, host = self.publication.access == "open", urlsplit(self.home).hostname or ""
        return Session(self.publication, self.home, None if is_open else find_credentials(host))

    def _plan(self, checksums: ChecksumList) -> "_Plan":
        files = needed_files(self.publication, checksums)
        return _Plan(checksums, files, survey(files, self.root, self.journal, self.connections))

    def _plan_again(self, plan: "_Plan | None", session: Session) -> "_Plan":
        """Fetch the publisher's list, and look again only where it is another one than an earlier run's."""
        with closing(Client(session, self.policy)) as client:
            fetched = fetch_list(self.publication, self.folder, client, self._retries())
        return plan if plan and plan.checksums.files == fetched.files else self._plan(fetched)

    def _fetch(self, plan: "_Plan", session: Session) -> None:
        """Fetch the missing files, several at a time; the first that cannot be had ends all."""
        there, clients = plan.there, list[Client]()
        total = max(self.publication.bytes, there.bytes_there)
        counts, sizes = (there.files_there, len(plan.files)), (there.bytes_there, total)
        with report_progress(counts, sizes, self.clock, self.policy) as progress:
            transfer = Transfer(self.publication, plan.checksums, self.root, self._retries(), progress)

            def fetch_some(files: Iterator[Listed]) -> None:
                with closing(Client(session, self.policy)) as client:
                    clients.append(client)
                    for file in files:
                        transfer.fetch(file, client)
                        self.journal.add(file.path, (self.root / file.path).stat(), file.sha256)
                        progress.add_file()

            def interrupt() -> None:
                for client in clients:
                    client.abort()

            try:
                work_through(there.missing, fetch_some, self.connections, self.stop, interrupt)
            except UserError as error:
                done = f"{progress.files_done:,} of {len(plan.files):,} files are done"
                raise UserError(f"{error}; {done}, and running again goes on from there") from None

    def _retries(self) -> Retries:
        return Retries(self.policy, self.clock, self.stop)


@dataclass(frozen=True)
class _Plan:
    """Hold the needed files of a list, and what is there of them."""

    checksums: ChecksumList
    files: list[Listed]
    there: Survey
