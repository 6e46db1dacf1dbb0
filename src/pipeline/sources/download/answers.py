"""What a server's answers mean: the file, a failure that may pass, or the reason why not."""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from hashlib import sha256
from http import HTTPStatus
from http.client import HTTPResponse
from urllib.parse import urlsplit

from pipeline.records.errors import UserError
from pipeline.settings.publications import Publication
from pipeline.sources.download.retry import TryAgain

EMPTY_SHA256 = sha256().hexdigest()

_MAY_PASS = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
)
_BODY = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)


@dataclass(frozen=True)
class Wanted:
    """Describe what a request asks for, as far as its answer is judged by it."""

    url: str
    label: str
    """What the file is called in sentences for the user."""
    is_page: bool = False
    """Whether the file itself is an HTML page."""
    is_empty: bool = False
    """Whether the file is known to hold no bytes."""


def check_answer(response: HTTPResponse, wanted: Wanted, publication: Publication, today: Callable[[], float]) -> None:
    """Return where the answer's body is the file, or a range of it (spec F3).

    Raises `TryAgain` for what may pass, and `UserError` with what to do for what does not.
    """
    status, host = response.status, urlsplit(wanted.url).hostname
    if status in _BODY:
        _check_body(response, wanted, publication)
        return
    if status in _MAY_PASS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TryAgain(f"{host} answers HTTP {status}", _retry_after(response, today))
    if status == HTTPStatus.UNAUTHORIZED:
        raise not_logged_in(f"{host} accepts no login or refuses yours", publication)
    if status == HTTPStatus.FORBIDDEN:
        raise UserError(
            f"{host} refuses {publication.title} (HTTP 403): the agreement is not signed, or the account is not "
            f"credentialed for this project; open {publication.page}, sign it there, and run again"
        )
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        raise UserError(
            f"{host} does not have {wanted.label} (HTTP {status}); compare files_url and version of "
            f"{publication.title} in the registry with {publication.page}"
        )
    raise UserError(f"{host} answers HTTP {status} for {wanted.label}; see {publication.page}")


def not_logged_in(what: str, publication: Publication) -> UserError:
    """Return the sentence for a login page, or for anything else that stands where a file should."""
    return UserError(
        f"not logged in: {what}; check the user name and password (or the session's cookie) by logging in "
        f"at {publication.page}, and run again"
    )


def _check_body(response: HTTPResponse, wanted: Wanted, publication: Publication) -> None:
    host = urlsplit(wanted.url).hostname
    if response.headers.get_content_type() == "text/html" and not wanted.is_page:
        # A header that is absent reads as text/plain.
        raise not_logged_in(f"{host} sends a page in place of {wanted.label}", publication)
    if response.length == 0 and not wanted.is_empty and response.status == HTTPStatus.OK:
        raise not_logged_in(f"{host} sends an empty body in place of {wanted.label}", publication)


def _retry_after(response: HTTPResponse, today: Callable[[], float]) -> float:
    """Return the wait that the server asks for, in seconds: given as such, or as a date."""
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - today())
    except ValueError:
        return 0.0
