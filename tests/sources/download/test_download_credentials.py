import base64
import traceback
from pathlib import Path

import pytest

from pipeline.records.errors import UserError
from pipeline.sources.download.credentials import Credentials, find_credentials

PASSWORD = "s3cret-Pa55word"  # noqa: S105
LOGIN = {"PHYSIONET_USERNAME": "anna", "PHYSIONET_PASSWORD": PASSWORD}


def netrc_file(folder: Path, content: str, mode: int = 0o600) -> dict[str, str]:
    path = folder / "netrc"
    path.write_text(content)
    path.chmod(mode)
    return {"NETRC": str(path)}


def login_of(credentials: Credentials) -> str:
    return base64.b64decode(credentials.authorization().removeprefix("Basic ")).decode()


def test_the_login_is_read_from_the_netrc_entry_of_the_host(tmp_path: Path) -> None:
    text = f"machine physionet.org login anna password {PASSWORD}\nmachine other.org login b password c\n"
    environment = netrc_file(tmp_path, text)
    assert login_of(find_credentials("physionet.org", environment)) == f"anna:{PASSWORD}"
    assert login_of(find_credentials("other.org", environment)) == "b:c"


def test_without_a_variable_the_netrc_file_is_that_of_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    netrc_file(tmp_path, f"machine physionet.org login anna password {PASSWORD}\n")
    (tmp_path / "netrc").rename(tmp_path / ".netrc")
    assert login_of(find_credentials("physionet.org", {})) == f"anna:{PASSWORD}"


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    environment = netrc_file(tmp_path, "machine physionet.org login b password c\n")
    assert login_of(find_credentials("physionet.org", environment | LOGIN)) == f"anna:{PASSWORD}"


def test_a_session_cookie_is_the_last_resort(tmp_path: Path) -> None:
    environment = {"NETRC": str(tmp_path / "none"), "PHYSIONET_SESSIONID": "abc123"}
    found = find_credentials("physionet.org", environment)
    assert (found.has_login, found.session_cookie()) == (False, "abc123")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_netrc_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    environment = netrc_file(tmp_path, f"machine physionet.org login anna password {PASSWORD}\n", mode)
    with pytest.raises(UserError, match=f"run: chmod 600 {tmp_path}/netrc$"):
        find_credentials("physionet.org", environment)


@pytest.mark.parametrize(
    ("host", "text"),
    [("physionet.org", ""), ("physionet.org", "default login anna password x\n"), ("nih.gov", "")],
    ids=["no entry", "an entry for every host", "variables of another host"],
)
def test_a_host_without_an_entry_of_its_own_gets_nothing(tmp_path: Path, host: str, text: str) -> None:
    variables = LOGIN if host != "physionet.org" else {}
    with pytest.raises(UserError, match=f"put the line 'machine {host} login USER password PASSWORD' into"):
        find_credentials(host, netrc_file(tmp_path, text) | variables)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PHYSIONET_USERNAME": "anna"}, "only one of PHYSIONET_USERNAME and PHYSIONET_PASSWORD is set"),
        ({"PHYSIONET_SESSIONID": "a b\r\nX: c"}, "PHYSIONET_SESSIONID is not a session id"),
    ],
)
def test_half_a_login_and_a_broken_cookie_are_refused(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=f"^{said}"):
        find_credentials("physionet.org", {"NETRC": str(tmp_path / "none"), **environment})


@pytest.mark.parametrize(
    "text",
    [f"machine physionet.org login anna {PASSWORD}\n", f"{PASSWORD}\n", f"machine physionet.org password {PASSWORD}\n"],
    ids=["a word missing", "not a netrc file", "no login"],
)
def test_a_netrc_file_that_is_none_is_refused_without_quoting_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError) as refused:
        find_credentials("physionet.org", netrc_file(tmp_path, text))
    told = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    shown = "".join(frame for frame in told.format() if "text = " not in frame)
    assert PASSWORD not in str(refused.value)
    assert refused.value.__context__ is None
    assert str(tmp_path) in shown


def test_no_view_of_credentials_shows_them() -> None:
    credentials = Credentials(login=("anna", PASSWORD), cookie="c00kie")
    shown = f"{credentials!r} {credentials} {[credentials]} {credentials.__class__}"
    assert PASSWORD not in shown
    assert "c00kie" not in shown
    assert "anna" not in shown
    assert not hasattr(credentials, "__dict__")
