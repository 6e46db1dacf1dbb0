"""Bring one file: resumed, verified, published."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import quote

from pipeline.records.errors import UserError
from pipeline.settings.publications import Publication
from pipeline.sources.download.answers import EMPTY_SHA256, Wanted, check_answer
from pipeline.sources.download.checksums import ChecksumList, Listed
from pipeline.sources.download.client import Client
from pipeline.sources.download.part import Part, version_tag
from pipeline.sources.download.policy import Stopped
from pipeline.sources.download.progress import Progress
from pipeline.sources.download.retry import Retries, TryAgain


@dataclass(frozen=True)
class Transfer:
    """Hold what the transfers of one publication's files have in common."""

    publication: Publication
    checksums: ChecksumList
    root: Path
    retries: Retries
    progress: Progress

    def fetch(self, file: Listed, client: Client) -> None:
        """Put a listed file under its name once its bytes have the listed sha256, and never before.

        Raises `UserError` where the publisher refuses, the network stays down, or the bytes stay wrong.
        """
        label = self.checksums.place(file)
        bodies = self.retries.policy.bodies
        with Part(self.root / file.path) as part:
            for _ in range(bodies):
                if part.sha256 != file.sha256:
                    self._complete(part, file, label, client)
                if part.sha256 == file.sha256:
                    part.publish()
                    return
                self._discard(part)
        raise UserError(
            f"{label} came {bodies} times with bytes that do not have the listed sha256; if that stays so, "
            f"tell the publisher ({self.publication.page}), or enter the file in known_mismatches"
        )

    def _complete(self, part: Part, file: Listed, label: str, client: Client) -> None:
        wanted = Wanted(
            url=file_url(self.publication, file.path),
            label=label,
            is_page=file.path.endswith((".html", ".htm")),
            is_empty=file.sha256 == EMPTY_SHA256,
        )
        furthest = part.size

        def attempt() -> None:
            nonlocal furthest
            try:
                self._receive(part, wanted, client)
            except TryAgain:
                self.progress.add_retry()
                raise
            finally:
                furthest = max(furthest, part.size)

        self.retries.persist(attempt, lambda: furthest, label)

    def _receive(self, part: Part, wanted: Wanted, client: Client) -> None:
        """Ask for what is still to come and append it; start anew where the server sends the whole file."""
        with client.get(wanted.url, part.range_headers()) as response:
            if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._discard(part)
                raise TryAgain("the part of an earlier run is not of this file")
            check_answer(response, wanted, self.publication, self.retries.clock.today)
            if response.status == HTTPStatus.OK:
                self._discard(part)
                part.start(version_tag(response))
            elif _first_byte(response) != part.size:
                self._discard(part)
                raise TryAgain("the server sent another range than asked for")
            for block in client.blocks(response):
                part.append(block)
                self.progress.add_bytes(len(block))
                if self.retries.stop.is_set():
                    raise Stopped

    def _discard(self, part: Part) -> None:
        self.progress.add_bytes(-part.size)
        part.discard()


def file_url(publication: Publication, path: str) -> str:
    """Return the address of a listed file."""
    return publication.addresses.get(path) or f"{publication.files_url}{quote(path)}"


def _first_byte(response: HTTPResponse) -> int | None:
    stated = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(stated[1]) if stated else None
