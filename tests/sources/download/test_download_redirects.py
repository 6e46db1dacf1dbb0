"""Where a publisher's redirects may lead, and how they may be written."""

from http.client import HTTPConnection
from pathlib import Path
from socket import SHUT_RDWR, socket, socketpair

import pytest
from fake_publisher import BASE, POLICY, Behaviour, bring, is_complete, publication_at, publishing_at_loopback

from pipeline.records.errors import UserError
from pipeline.sources.download.client import Client
from pipeline.sources.download.session import Origin, Session, origin, quote_address

TARGET = "x.jpg"
CONTENT = b"an image"


def redirecting(location: str) -> Behaviour:
    # As it goes over the wire: servers write the bytes of UTF-8, and headers are latin-1.
    return Behaviour(protected=False, redirects={TARGET: location.encode().decode("latin-1")})


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("a b.jpg", "a%20b.jpg"),
        ("a%20b.jpg", "a%20b.jpg"),
        ("größe/x.jpg", "gr%C3%B6%C3%9Fe/x.jpg"),
        ("get?name=a b&sign=ü/+=", "get?name=a%20b&sign=%C3%BC/+="),
        ("get?tags[]=1;2&who='me'#top", "get?tags[]=1;2&who='me'"),
    ],
)
def test_an_address_with_odd_signs_is_followed(tmp_path: Path, location: str, asked: str) -> None:
    with publishing_at_loopback({TARGET: CONTENT, asked: CONTENT}, redirecting(location)) as server:
        waits = bring(server, tmp_path, needed=(TARGET,)).waits
    assert is_complete(tmp_path, {TARGET: CONTENT})
    assert [request.path for request in server.requests[-2:]] == [BASE + TARGET, BASE + asked]
    assert waits == []


def test_an_address_of_the_registry_may_hold_odd_signs_too(tmp_path: Path) -> None:
    with publishing_at_loopback({TARGET: CONTENT, "%C3%BC%20x": CONTENT}, Behaviour(protected=False)) as server:
        bring(server, tmp_path, needed=(TARGET,), addresses={TARGET: f"{server.url}ü x"})
    assert is_complete(tmp_path, {TARGET: CONTENT})
    assert server.requests[-1].path == f"{BASE}%C3%BC%20x"


@pytest.mark.parametrize(
    "location",
    [
        "https://[bad/x",
        "https://[bad]/x",
        "//[::1/x",
        "https://example.org:port/x",
        "https://example.org:99999/x",
        "https://example.org:0/x",
        "https://exa mple.org/x",
        "https://exämple.org/x",
        "https://example..org/x",
        f"https://{'a' * 64}.org/x",
        "https:///x",
        "mailto:nobody",
    ],
)
def test_what_is_no_address_ends_in_one_sentence_at_once(tmp_path: Path, location: str) -> None:
    with publishing_at_loopback({TARGET: CONTENT}, redirecting(location)) as server:
        with pytest.raises(UserError, match=r"cannot exist|is not an https address") as refused:
            bring(server, tmp_path)
        assert len(server.asked(TARGET)) == 1
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("location", ["", "#here", TARGET])
def test_a_redirect_to_itself_ends_in_one_sentence(tmp_path: Path, location: str) -> None:
    with (
        publishing_at_loopback({TARGET: CONTENT}, redirecting(location)) as server,
        pytest.raises(UserError, match="redirects in a circle"),
    ):
        bring(server, tmp_path)


def test_a_server_is_asked_for_its_root_where_an_address_has_only_a_query(tmp_path: Path) -> None:
    with publishing_at_loopback({TARGET: CONTENT}, Behaviour(protected=False)) as server:
        server.behaviour.redirects = {TARGET: f"{server.url.removesuffix(BASE)}?file=x"}
        with pytest.raises(UserError, match="HTTP 404"):
            bring(server, tmp_path)
    assert server.requests[-1].path == "/?file=x"


def test_a_quoted_address_stays_as_it_is() -> None:
    once = quote_address("https://[::1]:8443/ä b/%20?q=ü&r=[1]")
    assert once == "https://[::1]:8443/%C3%A4%20b/%20?q=%C3%BC&r=[1]"
    assert quote_address(once) == once
    assert origin(once) == ("https", "::1", 8443)


class ClosingConnection(HTTPConnection):
    """Be closed by its own thread as soon as another one has looked at its socket."""

    shared: socket | None = None
    closing = False

    @property
    def sock(self) -> socket | None:
        seen = self.shared
        if self.closing and seen is not None:
            self.shared = None
        return seen

    @sock.setter
    def sock(self, value: socket | None) -> None:
        self.shared = value


class OneConnection(Session):
    """Hand out one connection whatever the server."""

    connection = ClosingConnection("127.0.0.1")

    def connect(self, server: Origin, timeout: float) -> HTTPConnection:
        return self.connection


def test_a_connection_that_is_closed_meanwhile_can_be_aborted() -> None:
    near, far = socketpair()
    with near, far:
        near.settimeout(5)
        far.settimeout(5)
        far.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        publication = publication_at("http://127.0.0.1/")
        session = OneConnection(publication, "http://127.0.0.1/", None)
        session.connection.sock = near
        client = Client(session, POLICY)
        with client.get("http://127.0.0.1/x", {}) as response:
            session.connection.closing = True
            client.abort()
            assert far.recv(1 << 16).startswith(b"GET /x")
            assert far.recv(1) == b""  # the abort reached the socket
            assert response.status == 200
            far.shutdown(SHUT_RDWR)
