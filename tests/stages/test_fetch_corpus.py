"""A corpus from a publisher's server to its inventory, by the stage that the workflow runs."""

import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import polars as pl
import pytest

from pipeline.records.errors import UserError
from pipeline.settings.corpora import DownloadSource, InventorySettings, LocalSource, PhantomSource
from pipeline.settings.layouts.physiology import HannoverLayout
from pipeline.settings.publications import Publication
from pipeline.sources.locations import Located
from pipeline.sources.phantom.cohort import write_cohort
from pipeline.stages.fetch_corpus import fetch_corpus

LAYOUT = HannoverLayout(format="hannover")
BY_HAND = Publication(
    title="A set",
    version="2",
    publisher="somebody",
    licence="some licence",
    access="registration",
    page="https://example.org/set",
    files=1,
    bytes=1,
    by_hand="Put the images into png/ and the table beside it.",
)


class CountingHandler(SimpleHTTPRequestHandler):
    """Serve a folder and count what is asked for."""

    asked: list[str] = []  # noqa: RUF012 - one list for all requests is what is wanted

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def published(tmp_path: Path) -> Iterator[Publication]:
    """Serve a phantom corpus from loopback, with the list of its files."""
    folder = tmp_path / "published"
    write_cohort(folder, PhantomSource(kind="phantom", patients=6, image_size=48), "hannover")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.relative_to(folder).as_posix()}\n" for path in files
    ]
    (folder / "SHA256SUMS.txt").write_text("".join(listed))
    CountingHandler.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(CountingHandler, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        changes = {"access": "open", "files_url": f"http://127.0.0.1:{server.server_port}/"}
        yield BY_HAND.model_copy(update=changes | {"needed": ("data.csv", "png/*")})
        server.shutdown()
        thread.join()


def fetch(folder: Path, publication: Publication) -> pl.DataFrame:
    source = DownloadSource(kind="download", publications=("set",), root=str(folder / "data"))
    own = Located(source, folder / "inventory" / "set.parquet")
    fetch_corpus("set", own, {}, LAYOUT, InventorySettings(checksums=False), {"set": publication}, connections=2)
    return pl.read_parquet(own.inventory)


def test_what_is_needed_comes_verified_and_comes_once(tmp_path: Path, published: Publication) -> None:
    inventory = fetch(tmp_path, published)
    assert set(inventory["state"]) == {"present"}
    # Images were not hashed for the inventory: it takes the digests that the download has verified.
    for path, digest in inventory.select("path", "sha256").iter_rows():
        assert digest == hashlib.sha256((tmp_path / "data" / path).read_bytes()).hexdigest()
    assert not (tmp_path / "data" / "phantom").exists()
    asked = len(CountingHandler.asked)
    assert fetch(tmp_path, published).equals(inventory)
    assert len(CountingHandler.asked) == asked


def test_a_file_the_publisher_changed_stops_before_an_inventory(tmp_path: Path, published: Publication) -> None:
    image = next((tmp_path / "published" / "png").iterdir())
    image.write_bytes(image.read_bytes() + b"\x00")
    with pytest.raises(UserError, match="sha256"):
        fetch(tmp_path, published)
    assert not (tmp_path / "inventory").exists()


def test_a_set_that_is_had_by_hand_says_what_to_get_and_where_to_put_it(tmp_path: Path) -> None:
    own = Located(LocalSource(kind="local", root=str(tmp_path / "data")), tmp_path / "inventory" / "set.parquet")
    sentence = (
        r"the folder .*data does not exist; get A set 2 from https://example\.org/set \(registration access\): "
        r"Put the images into png/ and the table beside it \(the corpus folder is .*data\)"
    )
    with pytest.raises(UserError, match=sentence):
        fetch_corpus("set", own, {}, LAYOUT, InventorySettings(), {"set": BY_HAND}, connections=1)
