import base64
import logging
import shutil
import subprocess
import traceback
from pathlib import Path

import pytest
from fake_publisher import (
    BASE,
    PASSWORD,
    USER,
    Behaviour,
    FakePublisher,
    bring,
    is_complete,
    made_files,
    publishing_at_loopback,
)

from pipeline.records.errors import UserError
from pipeline.sources.download.session import origin

FILES = made_files(4, 9000)
TOKEN = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture(autouse=True)
def user_logged_in_by_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv("PHYSIONET_USERNAME", USER)
    monkeypatch.setenv("PHYSIONET_PASSWORD", PASSWORD)
    monkeypatch.delenv("PHYSIONET_SESSIONID", raising=False)


def test_a_login_is_made_once_and_its_session_used_by_all_connections(tmp_path: Path) -> None:
    with publishing_at_loopback(FILES) as server:
        bring(server, tmp_path / "raw")
    assert is_complete(tmp_path / "raw", FILES)
    assert all(request.agent.startswith("Wget/") for request in server.requests)
    first, second, *others = server.requests
    assert (first.authorization, first.cookie) == (None, None)
    assert (second.authorization, second.cookie) == (f"Basic {TOKEN}", "testcookie=worked")
    assert all(request.authorization is None and "sessionid=granted" in str(request.cookie) for request in others)


def test_connections_are_kept_open(tmp_path: Path) -> None:
    with publishing_at_loopback(made_files(60, 100)) as server:
        bring(server, tmp_path / "raw")
    assert len({request.port for request in server.requests}) <= 4  # three workers and the list


def test_the_cookie_of_a_session_stands_in_for_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PHYSIONET_USERNAME")
    monkeypatch.delenv("PHYSIONET_PASSWORD")
    monkeypatch.setenv("PHYSIONET_SESSIONID", "granted")
    with publishing_at_loopback(FILES) as server:
        bring(server, tmp_path / "raw")
    assert is_complete(tmp_path / "raw", FILES)
    assert all(request.authorization is None for request in server.requests)


def test_open_publications_need_and_get_no_credentials(tmp_path: Path) -> None:
    with publishing_at_loopback(FILES, Behaviour(protected=False)) as server:
        bring(server, tmp_path / "raw")
    assert is_complete(tmp_path / "raw", FILES)
    assert all(request.authorization is None and request.cookie is None for request in server.requests)


def test_without_credentials_nothing_is_asked_of_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PHYSIONET_USERNAME")
    monkeypatch.delenv("PHYSIONET_PASSWORD")
    with publishing_at_loopback(FILES) as server:
        with pytest.raises(UserError, match=r"^127.0.0.1 asks who you are: put the line 'machine 127.0.0.1 login"):
            bring(server, tmp_path / "raw")
        assert server.requests == []


@pytest.mark.parametrize("by", ["redirect", "address"])
def test_no_secret_goes_to_another_host(tmp_path: Path, by: str) -> None:
    path = next(iter(FILES))
    with (
        publishing_at_loopback(FILES, Behaviour(protected=False)) as elsewhere,
        publishing_at_loopback(
            FILES, Behaviour(redirects={path: elsewhere.url + path} if by == "redirect" else {})
        ) as server,
    ):
        bring(server, tmp_path / "raw", addresses={} if by == "redirect" else {path: elsewhere.url + path})
    assert is_complete(tmp_path / "raw", FILES)
    assert [request.path for request in elsewhere.requests] == [BASE + path]
    assert [(request.authorization, request.cookie) for request in elsewhere.requests] == [(None, None)]


def test_another_host_that_asks_for_a_login_gets_none(tmp_path: Path) -> None:
    path = next(iter(FILES))
    with (
        publishing_at_loopback(FILES) as elsewhere,
        publishing_at_loopback(FILES, Behaviour(redirects={path: elsewhere.url + path})) as server,
        pytest.raises(UserError, match=r"^not logged in: 127.0.0.1 accepts no login"),
    ):
        bring(server, tmp_path / "raw")
    assert {(request.authorization, request.cookie) for request in elsewhere.requests} == {(None, None)}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for this machine that nobody trusts, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(
        [openssl, *made, *names, "-keyout", str(path), "-out", f"{path}.crt"], check=True, capture_output=True
    )
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


def test_an_encrypted_login_works_where_the_certificate_is_trusted(
    tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    with publishing_at_loopback(FILES, certificate=certificate) as server:
        bring(server, tmp_path / "raw")
    assert is_complete(tmp_path / "raw", FILES)
    assert sum(request.authorization is not None for request in server.requests) == 1


def test_nothing_is_sent_to_a_server_whose_certificate_is_not_trusted(tmp_path: Path, certificate: Path) -> None:
    with publishing_at_loopback(FILES, certificate=certificate) as server:
        with pytest.raises(UserError, match=r"^the certificate of 127.0.0.1 is not trusted \(self-signed"):
            bring(server, tmp_path / "raw")
        assert server.requests == []


@pytest.mark.parametrize("url", ["http://physionet.org/files/", "ftp://127.0.0.1/", "https:///files/", "file:///etc"])
def test_addresses_without_encryption_are_refused_except_on_this_machine(url: str) -> None:
    with pytest.raises(UserError, match="is not an https address"):
        origin(url)


def test_a_redirect_out_of_encryption_is_refused(tmp_path: Path) -> None:
    path = next(iter(FILES))
    behaviour = Behaviour(redirects={path: f"http://example.org{BASE}{path}"})
    with (
        publishing_at_loopback(FILES, behaviour) as server,
        pytest.raises(UserError, match=r"'http://example.org' is not an https address"),
    ):
        bring(server, tmp_path / "raw")


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (Behaviour(login_page="page"), "^not logged in: 127.0.0.1 sends a page in place of SHA256SUMS.txt"),
        (Behaviour(login_page="redirect"), "^not logged in: 127.0.0.1 redirects to its login page"),
        (Behaviour(signed=False), "agreement is not signed, .* open https://example.org/content/demo, sign it there"),
    ],
    ids=["a page with status 200", "a redirect", "no agreement"],
)
def test_a_refusal_says_what_to_do(tmp_path: Path, behaviour: Behaviour, said: str) -> None:
    with publishing_at_loopback(FILES, behaviour) as server, pytest.raises(UserError, match=said):
        bring(server, tmp_path / "raw")
    assert not (tmp_path / "raw" / ".download" / "demo" / "SHA256SUMS.txt").exists()


def test_a_wrong_password_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHYSIONET_PASSWORD", "another")
    with publishing_at_loopback(FILES) as server, pytest.raises(UserError, match=r"^not logged in: .* refuses yours"):
        bring(server, tmp_path / "raw")
    assert len(server.requests) == 2


def test_an_empty_body_where_bytes_are_listed_is_a_login_gone_wrong(tmp_path: Path) -> None:
    with publishing_at_loopback(FILES) as server:
        server.files = FILES | dict.fromkeys(FILES, b"")
        with pytest.raises(UserError, match=r"^not logged in: 127.0.0.1 sends an empty body"):
            bring(server, tmp_path / "raw")


def test_empty_files_and_pages_may_be_published(tmp_path: Path) -> None:
    files = {"empty.txt": b"", "index.html": b"<html>the set's own page</html>"}
    with publishing_at_loopback(files) as server:
        bring(server, tmp_path / "raw")
    assert is_complete(tmp_path / "raw", files)


@pytest.mark.parametrize("access", ["open", "credentialed"])
def test_a_file_that_is_not_there_is_named_by_path_only_where_access_is_open(tmp_path: Path, access: str) -> None:
    gone = sorted(FILES)[2]
    with publishing_at_loopback(FILES, Behaviour(protected=access != "open")) as server:
        server.files = {path: content for path, content in FILES.items() if path != gone}
        with pytest.raises(UserError, match=r"does not have .*line 3 of .*SHA256SUMS.txt.*HTTP 404") as refused:
            bring(server, tmp_path / "raw", access=access)
    assert (gone in str(refused.value)) == (access == "open")
    assert "of 4 files are done, and running again goes on from there" in str(refused.value)


def everything_told(server: FakePublisher, root: Path, caplog: pytest.LogCaptureFixture) -> str:
    """Run into an error and return all that the run leaves and tells: files, log, traceback with every local."""
    with caplog.at_level(logging.DEBUG), pytest.raises(UserError) as refused:
        bring(server, root)
    told = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    files = [path.read_bytes().decode("latin-1") for path in root.rglob("*") if path.is_file()]
    return "\n".join([*told.format(), caplog.text, repr(refused.value), *files])


@pytest.mark.parametrize("fault", ["drop", "reset", "unavailable", "flip", "login page", "refusal"])
def test_no_secret_is_in_any_file_log_or_traceback(
    tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    behaviour = Behaviour(faults=lambda path, _: fault if path != "SHA256SUMS.txt" else "")
    behaviour.login_page = "page" if fault == "login page" else ""
    behaviour.signed = fault != "refusal"
    with publishing_at_loopback(FILES, behaviour) as server:
        told = everything_told(server, tmp_path / "raw", caplog)
    assert "self = " in told  # locals were captured
    assert not [secret for secret in (PASSWORD, TOKEN, "sessionid=granted", "granted") if secret in told]


def test_no_patient_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    behaviour = Behaviour(faults=lambda _, count: "drop" if count == 0 else "")
    with publishing_at_loopback(FILES, behaviour) as server, caplog.at_level(logging.DEBUG):
        bring(server, tmp_path / "raw")
    assert caplog.text
    assert not [path for path in FILES if path in caplog.text or Path(path).name in caplog.text]
