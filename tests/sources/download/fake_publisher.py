"""A server on this machine that behaves like PhysioNet, and as badly as one asks it to."""

import base64
import hashlib
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pipeline.records.randomness import keyed_generator
from pipeline.settings.publications import Publication
from pipeline.sources.download.fetch import download
from pipeline.sources.download.policy import Clock, Stopped, TransferPolicy

USER, PASSWORD = "anna.muster", "s3cret-Pa55word"
BASE = "/files/demo/1.0/"
CHUNK = 4096
LOGIN_PAGE = b"<html>please log in</html>"
TODAY = 1_700_000_000.0
FAULTS = ("drop", "reset", "busy", "unavailable", "short", "flip", "whole")


@dataclass(frozen=True)
class Request:
    path: str
    agent: str
    authorization: str | None
    cookie: str | None
    range: str | None
    port: int
    """The client's, by which connections are told apart."""


@dataclass
class Behaviour:
    """Say how the publisher treats its visitors."""

    protected: bool = True
    signed: bool = True
    login_page: str = ""
    """`page` or `redirect`: what even those who log in get in place of a file."""
    validators: bool = True
    """Whether files have an ETag."""
    retry_after: str = "7"
    faults: Callable[[str, int], str] = lambda path, count: ""
    """The fault of the n-th request for a path, from 0; empty for none."""
    redirects: dict[str, str] = field(default_factory=dict)
    after_chunk: Callable[[int], None] = lambda sent: None
    """Called with the bytes sent so far, all requests together."""


class FakePublisher(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, files: dict[str, bytes], behaviour: Behaviour | None, certificate: Path | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scheme = "http"
        if certificate is not None:
            self.scheme = "https"
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.files = files
        self.behaviour = behaviour or Behaviour()
        self.requests: list[Request] = []
        self.seen: Counter[str] = Counter()
        self.sent = 0
        self.lock = threading.Lock()
        self.listed = "".join(
            f"{hashlib.sha256(content).hexdigest()} {path}\n" for path, content in sorted(files.items())
        ).encode()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}{BASE}"

    def asked(self, path: str) -> list[Request]:
        """Return the requests for a path that were let in."""
        return [request for request in self.requests if request.path == BASE + path and self.lets_in(request)]

    def lets_in(self, request: Request) -> bool:
        if not self.behaviour.protected or "sessionid=granted" in (request.cookie or ""):
            return True
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return request.authorization == f"Basic {login}" and "testcookie=worked" in (request.cookie or "")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that were killed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FakePublisher

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        publisher, how, request = self.server, self.server.behaviour, self._note_request()
        path = self.path.removeprefix(BASE)
        if not request.agent.startswith("Wget/") or self.path.startswith("/login/"):
            self._answer(200, LOGIN_PAGE, {"Content-Type": "text/html; charset=utf-8"})
        elif path in how.redirects:
            self._answer(302, b"", {"Location": how.redirects[path]})
        elif not publisher.lets_in(request):
            cookie = {"Set-Cookie": "testcookie=worked; Path=/"}
            self._answer(401, b"who are you?", {"WWW-Authenticate": "Basic realm=files", **cookie})
        elif how.login_page == "redirect":
            self._answer(302, b"", {"Location": f"/login/?next={self.path}"})
        elif how.login_page == "page":
            self._answer(200, LOGIN_PAGE, {"Content-Type": "text/html; charset=utf-8"})
        elif not how.signed:
            self._answer(403, b"sign first")
        elif path != "SHA256SUMS.txt" and path not in publisher.files:
            self._answer(404, b"no such file")
        else:
            self._serve(path)

    def _note_request(self) -> Request:
        request = Request(
            path=self.path,
            agent=self.headers.get("User-Agent", ""),
            authorization=self.headers.get("Authorization"),
            cookie=self.headers.get("Cookie"),
            range=self.headers.get("Range"),
            port=self.client_address[1],
        )
        with self.server.lock:
            self.server.requests.append(request)
        return request

    def _serve(self, path: str) -> None:
        with self.server.lock:
            count = self.server.seen[path]
            self.server.seen[path] += 1
        fault = self.server.behaviour.faults(path, count)
        if fault == "reset":
            self.close_connection = True
        elif fault == "busy":
            self._answer(429, b"slower, please", {"Retry-After": self.server.behaviour.retry_after})
        elif fault == "unavailable":
            self._answer(503, b"later, please")
        else:
            self._serve_range(self.server.listed if path == "SHA256SUMS.txt" else self.server.files[path], fault)

    def _serve_range(self, content: bytes, fault: str) -> None:
        etag = f'"{hashlib.md5(content).hexdigest()}"'  # noqa: S324
        headers = {"ETag": etag} if self.server.behaviour.validators else {}
        secure = "; Secure" if self.server.scheme == "https" else ""
        cookie = {"Set-Cookie": f"sessionid=granted; Path=/; HttpOnly{secure}"}
        headers |= cookie if self.server.behaviour.protected else {}
        asked, version = self.headers.get("Range"), self.headers.get("If-Range", etag)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and version == etag else 0
        if asked and start >= len(content):
            self._answer(416, b"", headers)
            return
        ranged = start > 0 and fault != "whole"
        body = content[start:] if ranged else content
        if ranged:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if fault == "short":
            body = body[: len(body) // 2]
        if fault == "flip" and body:
            body = bytes([body[0] ^ 1]) + body[1:]
        self._answer(206 if ranged else 200, body, headers, cut=len(body) // 2 if fault == "drop" else None)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/octet-stream", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sending = body[:cut]
        for start in range(0, len(sending), CHUNK):
            self.wfile.write(sending[start : start + CHUNK])
            with self.server.lock:
                self.server.sent += len(sending[start : start + CHUNK])
            self.server.behaviour.after_chunk(self.server.sent)
        if cut is not None:
            self.close_connection = True


class QuickClock(Clock):
    """Record the waits of a download, and let none of them take any time."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.passed = 0.0

    def now(self) -> float:
        return self.passed

    def today(self) -> float:
        return TODAY + self.passed

    def wait(self, seconds: float, stop: threading.Event) -> None:
        if stop.is_set():
            raise Stopped
        self.waits.append(seconds)
        self.passed += seconds


POLICY = TransferPolicy(timeout=20, block=CHUNK)


@contextmanager
def publishing_at_loopback(
    files: dict[str, bytes], behaviour: Behaviour | None = None, certificate: Path | None = None
) -> Iterator[FakePublisher]:
    """Serve the files until the block ends."""
    server = FakePublisher(files, behaviour, certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        with suppress(OSError):
            server.server_close()


def publication_at(url: str | None, **changes: Any) -> Publication:
    """Describe a publication of a server on this machine, which the registry itself would refuse."""
    described = Publication(
        title="Demo X-rays",
        version="1.0",
        publisher="Demo",
        licence="CC0",
        access="credentialed",
        page="https://example.org/content/demo",
        files_url="https://example.org/files/demo/1.0/",
        files=3,
        bytes=1,
    )
    return described.model_copy(update={"files_url": url, **changes})


def random_faults(seed: int, share: float) -> Callable[[str, int], str]:
    """Return faults drawn for each path and request, for a share of the requests."""

    def draw(path: str, count: int) -> str:
        generator = keyed_generator(seed, "fault", path, count)
        return str(generator.choice(FAULTS)) if generator.random() < share else ""

    return draw


def made_files(count: int, longest: int, seed: int = 0) -> dict[str, bytes]:
    """Draw files of up to `longest` bytes in patients' folders."""
    generator = keyed_generator(seed, "published files")
    sizes = generator.integers(1, longest, count)
    return {f"files/p{index % 7:02d}/x{index:05d}.jpg": generator.bytes(int(size)) for index, size in enumerate(sizes)}


def is_complete(root: Path, files: dict[str, bytes]) -> bool:
    """Tell whether all files are there with their bytes, and no part is."""
    return all(
        (root / path).is_file() and (root / path).read_bytes() == content for path, content in files.items()
    ) and not list(root.rglob("*.part*"))


def bring(server: FakePublisher, root: Path, policy: TransferPolicy = POLICY, **changes: Any) -> QuickClock:
    """Download what the server publishes and return the clock with the waits."""
    clock = QuickClock()
    described = publication_at(
        server.url, **({"access": "credentialed" if server.behaviour.protected else "open"} | changes)
    )
    download("demo", described, root, 3, policy, clock)
    return clock
