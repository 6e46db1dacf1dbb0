"""One worker's connections: kept alive, and every failure of the network told apart from all others."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from socket import SHUT_RDWR
from urllib.parse import urlsplit

from pipeline.records.errors import UserError
from pipeline.sources.download.policy import TransferPolicy
from pipeline.sources.download.retry import TryAgain
from pipeline.sources.download.session import USER_AGENT, Origin, Session, origin, quote_address

_REDIRECTS = (
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
)
_LONGEST_CHAIN = 8  # requests for one file: a login and a few redirects
_DRAINED = 1 << 16  # bytes; to read a longer body costs more than a new connection


class Client:
    """Send requests one after another over connections that stay open."""

    def __init__(self, session: Session, policy: TransferPolicy) -> None:
        self._session, self._policy = session, policy
        self._connections: dict[Origin, HTTPConnection] = {}

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str]) -> Iterator[HTTPResponse]:
        """Yield the last answer of logging in and following redirects; its body is not read yet.

        Signs in the address that no request may hold, such as a space, are quoted. Raises `TryAgain` where the
        network fails, `UserError` where the address or that of a redirect is none.
        """
        response, url = self._get(quote_address(url), headers)
        try:
            yield response
        finally:
            self._let_go(response, origin(url))

    def blocks(self, response: HTTPResponse) -> Iterator[bytes]:
        """Yield the body as it comes. Raises `TryAgain` where it ends before its announced length."""
        while block := self._read(response):
            yield block
        if response.length:
            raise TryAgain("the connection was lost")

    def abort(self) -> None:
        """End what another thread waits for on these connections."""
        for connection in list(self._connections.values()):
            # Read once: the connection's own thread may close it, and forget the socket, at any moment.
            socket = connection.sock
            if socket is not None:
                with suppress(OSError):
                    socket.shutdown(SHUT_RDWR)

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections.values():
            connection.close()

    def _get(self, url: str, headers: Mapping[str, str]) -> tuple[HTTPResponse, str]:
        log_in = False
        for _ in range(_LONGEST_CHAIN):
            response = self._send(url, headers, log_in)
            if response.status == HTTPStatus.UNAUTHORIZED and not log_in and self._session.can_log_in(url):
                # The first refusal brings the test cookie that a login needs (spec F3).
                self._let_go(response, origin(url))
                log_in = True
            elif response.status in _REDIRECTS:
                self._let_go(response, origin(url))
                url, log_in = self._session.follow(url, response), False
            else:
                return response, url
        raise UserError(f"{urlsplit(url).hostname} redirects in a circle; correct the registry's addresses")

    def _send(self, url: str, headers: Mapping[str, str], log_in: bool) -> HTTPResponse:
        server = origin(url)
        if server not in self._connections:
            self._connections[server] = self._session.connect(server, self._policy.timeout)
        connection = self._connections[server]
        was_open = connection.sock is not None
        response, failure = self._exchange(connection, url, headers, log_in)
        if response is None and was_open:
            # A server may close what was idle; that says nothing about the request.
            response, failure = self._exchange(connection, url, headers, log_in)
        if response is None:
            raise TryAgain(f"{server[1]} cannot be reached: {failure}")
        self._session.keep_cookies(response, url)
        return response

    def _exchange(
        self, connection: HTTPConnection, url: str, headers: Mapping[str, str], log_in: bool
    ) -> tuple[HTTPResponse | None, str]:
        """Send one request; where the network fails, return the failure's name: its frames hold what was sent."""
        try:
            parts = urlsplit(url)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.putrequest("GET", target, skip_accept_encoding=True)
            for name, value in {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}.items():
                connection.putheader(name, value)
            self._session.put_secrets(connection, url, log_in)
            connection.endheaders()
            return connection.getresponse(), ""
        except ssl.SSLCertVerificationError as error:
            untrusted = error.verify_message
        except (OSError, HTTPException) as error:
            connection.close()
            return None, type(error).__name__
        connection.close()
        raise UserError(f"the certificate of {parts.hostname} is not trusted ({untrusted}); ask who runs your network")

    def _read(self, response: HTTPResponse) -> bytes:
        try:
            return response.read(self._policy.block)
        except (OSError, HTTPException) as error:
            failure = type(error).__name__
        raise TryAgain(f"the connection was lost: {failure}")

    def _let_go(self, response: HTTPResponse, server: Origin) -> None:
        """Make the connection fit for the next request: read the rest of a short body, else close."""
        if not response.isclosed() and response.length is not None and response.length <= _DRAINED:
            with suppress(OSError, HTTPException):
                response.read()
        if not response.isclosed():
            response.close()
            self._connections[server].close()
