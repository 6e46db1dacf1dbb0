"""What the connections of one download share: who the user is, and who may be told."""

import re
import ssl
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from http.cookiejar import Cookie, CookieJar
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import Request, getproxies, proxy_bypass

from pipeline.records.errors import UserError
from pipeline.settings.publications import Publication
from pipeline.sources.download.answers import not_logged_in
from pipeline.sources.download.credentials import Credentials, is_loopback

# PhysioNet lets only these agents log in by password (spec F3).
USER_AGENT = "Wget/1.21 (cxr-pipeline)"

Origin = tuple[str, str, int]
"""Scheme, host and port of a server."""

# A name, whose labels hold at most 63 signs (RFC 1035), or an IPv6 address; http.client raises its own on any other.
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?|[0-9a-f.]*:[0-9a-f:.]*")
_LEGAL = "%/:?&=#[]@!$'()*+,;~"  # what quoting leaves as it is: the signs of an address, and what is quoted already


class Session:
    """Log in to the host of a publication, and to no other; one cookie jar for all connections."""

    def __init__(self, publication: Publication, home: str, credentials: Credentials | None) -> None:
        """Open no connection yet; `home` is the address that the credentials are for."""
        self._publication = publication
        self._credentials = credentials
        self._home = origin(home)
        self._cookies = CookieJar()
        self._tls = ssl.create_default_context()
        cookie = credentials.session_cookie() if credentials else None
        if cookie is not None:
            self._cookies.set_cookie(_session_cookie(cookie, self._home))

    def connect(self, server: Origin, timeout: float) -> HTTPConnection:
        """Return an unopened connection, through the environment's proxy where one is set for https."""
        scheme, host, port = server
        if scheme == "http":
            return HTTPConnection(host, port, timeout=timeout)
        proxy = urlsplit("" if proxy_bypass(host) else getproxies().get("https", ""))
        if not proxy.hostname:
            return HTTPSConnection(host, port, timeout=timeout, context=self._tls)
        connection = HTTPSConnection(proxy.hostname, proxy.port or 80, timeout=timeout, context=self._tls)
        connection.set_tunnel(host, port)
        return connection

    def can_log_in(self, url: str) -> bool:
        """Tell whether user name and password exist and are for this address."""
        return self._credentials is not None and self._credentials.has_login and origin(url) == self._home

    def put_secrets(self, connection: HTTPConnection, url: str, log_in: bool) -> None:
        """Write cookies, and with `log_in` the user's name and password, to a request; nothing to another host."""
        if origin(url) != self._home:
            return
        request = Request(url)  # noqa: S310 - never opened; the jar asks it for scheme, host and path
        self._cookies.add_cookie_header(request)
        if request.has_header("Cookie"):
            connection.putheader("Cookie", request.get_header("Cookie", ""))
        if log_in and self._credentials is not None:
            connection.putheader("Authorization", self._credentials.authorization())

    def keep_cookies(self, response: HTTPResponse, url: str) -> None:
        """Remember the cookies that the publication's host sets."""
        if origin(url) == self._home:
            self._cookies.extract_cookies(response, Request(url))  # noqa: S310 - never opened

    def follow(self, url: str, response: HTTPResponse) -> str:
        """Return the address a redirect leads to.

        Raises `UserError` where it leads to a login page, out of encryption, or to what is no address.
        """
        # Headers are read as latin-1, whatever their bytes mean.
        location = quote_address(response.headers.get("Location", ""), encoding="latin-1")
        try:
            target = urljoin(url, location)
        except ValueError:
            raise _no_address(f"a redirect of {urlsplit(url).hostname}") from None
        if urlsplit(target).path.startswith("/login"):
            raise not_logged_in(f"{urlsplit(url).hostname} redirects to its login page", self._publication)
        origin(target)
        return target


def origin(url: str) -> Origin:
    """Return the server of an address. Raises `UserError` unless it is https, or http on this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _no_address("an address of the registry or of a redirect") from None
    is_private = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    if not is_private or not _HOST.fullmatch(host) or port == 0:
        raise UserError(f"'{parts.scheme}://{host}' is not an https address; correct the registry's addresses")
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80)


def quote_address(address: str, encoding: str = "utf-8") -> str:
    """Return an address whose signs may all stand in a request; one that is quoted already stays as it is."""
    return quote(address, safe=_LEGAL, encoding=encoding)


def _no_address(what: str) -> UserError:
    return UserError(f"{what} names a server or port that cannot exist; correct the registry's addresses")


def _session_cookie(value: str, home: Origin) -> Cookie:
    scheme, host, _ = home
    return Cookie(
        version=0,
        name="sessionid",
        value=value,
        port=None,
        port_specified=False,
        domain=host if "." in host else f"{host}.local",
        domain_specified=False,
        domain_initial_dot=False,
        path="/",
        path_specified=True,
        secure=scheme == "https",
        expires=None,
        discard=True,
        comment=None,
        comment_url=None,
        rest={},
    )
