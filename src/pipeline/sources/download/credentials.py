"""Find what a publisher knows the user by, and show it to nobody else."""

import netrc
import os
import re
import stat
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from pipeline.records.errors import UserError

_PHYSIONET = "physionet.org"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Credentials:
    """Hold a user name with its password, or the cookie of a session; neither is ever shown."""

    __slots__ = ("_cookie", "_login")

    def __init__(self, login: tuple[str, str] | None = None, cookie: str | None = None) -> None:
        self._login, self._cookie = login, cookie

    def __repr__(self) -> str:
        return "Credentials(hidden)"

    @property
    def has_login(self) -> bool:
        """Tell whether there is a user name with a password, not only the cookie of a session."""
        return self._login is not None

    def authorization(self) -> str:
        """Return the value of the Authorization header. Only for the wire."""
        return "Basic " + b64encode(":".join(self._login or ()).encode()).decode()

    def session_cookie(self) -> str | None:
        """Return the id of the session, where that is what the user gave. Only for the wire."""
        return self._cookie


def find_credentials(host: str, environment: Mapping[str, str] = os.environ) -> Credentials:
    """Return what the user set for a host.

    In this order: PHYSIONET_USERNAME with PHYSIONET_PASSWORD; the host's entry in the netrc file ($NETRC, or
    ~/.netrc); PHYSIONET_SESSIONID. The variables are for physionet.org alone (and for this machine).
    Raises `UserError` where there is none, or where the netrc file can be read by others.
    """
    variables = environment if _is_physionet(host) else {}
    login = _login_of_environment(variables) or _login_of_netrc(host, _netrc_file(environment))
    if login is not None:
        return Credentials(login=login)
    cookie = variables.get("PHYSIONET_SESSIONID")
    if cookie is None:
        raise UserError(_nothing_found(host, _netrc_file(environment)))
    if not re.fullmatch(r"[A-Za-z0-9_-]+", cookie):
        raise UserError("PHYSIONET_SESSIONID is not a session id; copy the value of the browser's cookie 'sessionid'")
    return Credentials(cookie=cookie)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by the names that need no look-up."""
    return host in _LOOPBACK


def _is_physionet(host: str) -> bool:
    return host == _PHYSIONET or host.endswith(f".{_PHYSIONET}") or is_loopback(host)


def _login_of_environment(variables: Mapping[str, str]) -> tuple[str, str] | None:
    names = ("PHYSIONET_USERNAME", "PHYSIONET_PASSWORD")
    user, password = (variables.get(name) for name in names)
    if user and password:
        return user, password
    if user or password:
        raise UserError(f"only one of {names[0]} and {names[1]} is set; set both, or neither and use ~/.netrc")
    return None


def _login_of_netrc(host: str, path: Path) -> tuple[str, str] | None:
    if not path.is_file():
        return None
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise UserError(f"{path} holds passwords and is open to other users; run: chmod 600 {path}")
    # The parser's own messages quote the file, so they are neither shown nor chained.
    wrong = ""
    try:
        # The entry 'default' is for every host and therefore for none of ours.
        entry = netrc.netrc(path).hosts.get(host)
    except netrc.NetrcParseError as error:
        wrong = f"line {error.lineno} or the one before is not that of a netrc file"
    except (UnicodeDecodeError, PermissionError) as error:
        wrong = f"it cannot be read ({type(error).__name__})"
    if wrong:
        raise UserError(f"{path} cannot be used: {wrong}; see 'man 5 netrc' for its form")
    if entry is None:
        return None
    if not entry[0] or not entry[2]:
        raise UserError(f"the entry of {host} in {path} lacks a login or a password; complete it")
    return entry[0], entry[2]


def _netrc_file(environment: Mapping[str, str]) -> Path:
    return Path(environment["NETRC"]) if environment.get("NETRC") else Path.home() / ".netrc"


def _nothing_found(host: str, path: Path) -> str:
    variables = ", or set PHYSIONET_USERNAME and PHYSIONET_PASSWORD" if _is_physionet(host) else ""
    return (
        f"{host} asks who you are: put the line 'machine {host} login USER password PASSWORD' into {path} "
        f"and run chmod 600 {path}{variables}"
    )
