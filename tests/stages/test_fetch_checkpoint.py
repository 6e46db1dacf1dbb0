import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from disk_limits import files_of_at_most
from huggingface_hub import constants

from pipeline.records.errors import UserError
from pipeline.records.publish import UnwritableError
from pipeline.stages.fetch_checkpoint import HubFile, fetch_checkpoint

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "c" * 40
CHECKPOINT = HubFile("someone/vit", "main", "model.safetensors")


@dataclass
class Hub:
    """Say how the hub on this machine treats its visitors."""

    files: dict[str, bytes] = field(default_factory=lambda: {"/someone/vit/resolve/main/model.safetensors": CONTENT})
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Status and error code of the hub for a path."""
    stated: str | None = None
    """Digest that the hub tells of every file; by default that of its bytes."""
    breaks: int = 0
    """Downloads that end in the middle."""
    refuses_after_a_break: bool = False
    downloads: int = 0
    authorizations: set[str | None] = field(default_factory=set)
    address: str = ""


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            hub.downloads += 1
            content = self.answer()
            if hub.breaks:
                hub.breaks -= 1
                if hub.refuses_after_a_break:
                    hub.refusals[self.path] = (500, "")
                content = content[: len(content) // 2]
                self.close_connection = True
            self.wfile.write(content)

        def answer(self) -> bytes:
            hub.authorizations.add(self.headers["Authorization"])
            missing = (404, "EntryNotFound") if self.path.startswith("/someone/vit/") else (401, "RepoNotFound")
            found = hub.files.get(self.path)
            status, code = hub.refusals.get(self.path, missing if found is None else (200, ""))
            content = found if found is not None and status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hub.stated or hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            if code:
                self.send_header("X-Error-Code", code)
            self.end_headers()
            return content

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    return Handler


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # what the hub's client waits before it tries again
    described = Hub()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(described)) as server:
        described.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield described
        server.shutdown()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / "vit" / "checkpoint"


def assert_nothing_is_left(target: Path) -> None:
    assert not target.parent.exists() or list(target.parent.iterdir()) == []


def test_a_file_of_the_hub_is_published(hub: Hub, target: Path) -> None:
    fetch_checkpoint(CHECKPOINT, SHA256, target, hub.address)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_a_file_in_a_folder_of_another_revision_is_published(hub: Hub, target: Path) -> None:
    hub.files["/someone/vit/resolve/v1.0/encoders/small/weights.pth"] = b"small"
    nested = HubFile("someone/vit", "v1.0", "encoders/small/weights.pth")
    fetch_checkpoint(nested, hashlib.sha256(b"small").hexdigest(), target, hub.address)
    assert target.read_bytes() == b"small"
    assert list(target.parent.iterdir()) == [target]


def test_a_digest_that_the_hub_contradicts_is_refused_without_a_download(hub: Hub, target: Path) -> None:
    with pytest.raises(UserError) as refusal:
        fetch_checkpoint(CHECKPOINT, "0" * 64, target, hub.address)
    assert str(refusal.value).startswith(
        f"model.safetensors of someone/vit at revision 'main', as the hub states, has sha256 {SHA256}, and its "
        f"settings state {'0' * 64}; "
    )
    assert hub.downloads == 0
    assert_nothing_is_left(target)


@pytest.mark.parametrize("stated", ["0" * 64, "0" * 40], ids=["a digest that is not true", "git's digest"])
def test_another_file_than_was_meant_is_refused_whatever_the_hub_states(stated: str, hub: Hub, target: Path) -> None:
    hub.stated = stated
    with pytest.raises(UserError, match=f"at revision 'main' has sha256 {SHA256}, and its settings state {'0' * 64}; "):
        fetch_checkpoint(CHECKPOINT, "0" * 64, target, hub.address)
    assert hub.downloads == 1
    assert_nothing_is_left(target)


def test_a_small_file_that_the_hub_knows_by_gits_digest_is_published(hub: Hub, target: Path) -> None:
    hub.stated = "0" * 40
    fetch_checkpoint(CHECKPOINT, SHA256, target, hub.address)
    assert target.read_bytes() == CONTENT


def test_a_connection_that_breaks_once_is_no_reason_to_fail(hub: Hub, target: Path) -> None:
    hub.breaks = 1
    fetch_checkpoint(CHECKPOINT, SHA256, target, hub.address)
    assert target.read_bytes() == CONTENT
    assert hub.downloads == 2


def test_a_download_that_breaks_off_leaves_nothing_and_may_be_repeated(hub: Hub, target: Path) -> None:
    hub.breaks, hub.refuses_after_a_break = 1, True
    with pytest.raises(UserError, match=r"model\.safetensors of someone/vit .* cannot be had: the hub .* broke off \("):
        fetch_checkpoint(CHECKPOINT, SHA256, target, hub.address)
    assert_nothing_is_left(target)
    hub.refusals.clear()
    fetch_checkpoint(CHECKPOINT, SHA256, target, hub.address)
    assert target.read_bytes() == CONTENT


def test_what_a_killed_download_left_is_in_nobodys_way(hub: Hub, target: Path) -> None:
    left = target.with_name(f".{target.name}.download")
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"half")
    fetch_checkpoint(CHECKPOINT, SHA256, target, hub.address)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (403, "GatedRepo", r"ask on http://127\.0\.0\.1:\d+/someone/vit and log in by `hf auth login`"),
        (401, "RepoNotFound", "no such repository, or it is private; correct repository, or log in"),
        (404, "RevisionNotFound", "no such revision; correct revision"),
        (404, "EntryNotFound", "no such file; correct weights"),
        (403, "", r"refuses or broke off \(.*403.*\); see to the network and to your login"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, code: str, advice: str, hub: Hub, target: Path) -> None:
    hub.refusals["/someone/vit/resolve/main/model.safetensors"] = (status, code)
    by_hand = rf"by hand from {hub.address}/someone/vit/resolve/main/model\.safetensors and give file in place of"
    with pytest.raises(UserError, match=rf"{advice}.*; or download it {by_hand}") as refusal:
        fetch_checkpoint(CHECKPOINT, SHA256, target, hub.address)
    assert "\n" not in str(refusal.value)
    assert_nothing_is_left(target)


def test_a_machine_without_network_is_told_where_the_file_is(
    hub: Hub, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"the hub is out of reach.* offline mode .* download it by hand from http"):
        fetch_checkpoint(CHECKPOINT, SHA256, target, hub.address)
    assert_nothing_is_left(target)


def test_a_login_to_the_hub_is_used(hub: Hub, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_user")
    fetch_checkpoint(CHECKPOINT, SHA256, target, hub.address)
    assert hub.authorizations == {"Bearer hf_of_the_user"}


def test_a_disk_that_is_full_is_no_fault_of_the_hub(hub: Hub, target: Path) -> None:
    with files_of_at_most(len(CONTENT) // 2), pytest.raises(UnwritableError, match="cannot be written"):
        fetch_checkpoint(CHECKPOINT, SHA256, target, hub.address)
    assert_nothing_is_left(target)


def test_a_hub_that_does_not_answer_is_out_of_reach(hub: Hub, target: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        with pytest.raises(UserError, match=r"the hub is out of reach, refuses or broke off \(.*Connection refused"):
            fetch_checkpoint(CHECKPOINT, SHA256, target, f"http://127.0.0.1:{deaf.getsockname()[1]}")
    assert_nothing_is_left(target)
