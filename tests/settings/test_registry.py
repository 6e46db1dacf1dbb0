from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY

from pipeline.records.digests import reached_files
from pipeline.records.errors import UserError
from pipeline.settings.publications import Publication
from pipeline.settings.registry import find_publications, read_registry, release_digest
from pipeline.sources.download.listing import known_list, needed_files

REGISTRY = REPOSITORY / "config" / "corpora.yaml"
ENTRY = {
    "title": "a set",
    "version": "1",
    "publisher": "somebody",
    "licence": "some licence",
    "access": "open",
    "page": "https://example.org/set",
    "files_url": "https://example.org/files/",
    "files": 1,
    "bytes": 1,
}


def made(folder: Path, **entry: object) -> Publication:
    """Write a registry of one entry and read it back."""
    folder.mkdir(exist_ok=True)
    (folder / "corpora.yaml").write_text(yaml.safe_dump({"publications": {"made": ENTRY | entry}}))
    return read_registry(folder / "corpora.yaml").publications["made"]


def test_the_downloader_finds_the_files_of_every_pinned_publication(tmp_path: Path) -> None:
    pinned = {name: entry for name, entry in read_registry(REGISTRY).publications.items() if entry.pinned}
    for name, entry in pinned.items():
        listed = known_list(entry, tmp_path)
        assert listed is not None
        assert len(needed_files(entry, listed)) == entry.files, name


def test_a_pinned_list_lies_beside_its_registry(tmp_path: Path) -> None:
    entry = made(tmp_path / "mine", pinned=True, checksums="lists/made.sha256")
    assert entry.checksums == str(tmp_path / "mine" / "lists" / "made.sha256")


def test_another_byte_in_a_pinned_list_is_another_release_and_another_note_is_not(tmp_path: Path) -> None:
    def digest(listed: str, **entry: object) -> str:
        (tmp_path / "made.sha256").write_text(listed)
        return release_digest(made(tmp_path, pinned=True, checksums="made.sha256", **entry))

    before = digest("0" * 64 + "  a.zip\n")
    assert digest("0" * 64 + "  a.zip\n", note="what a user should know", version="1.0", bytes=7) == before
    assert digest("1" * 64 + "  a.zip\n") != before
    assert digest("0" * 64 + "  a.zip\n", needed=["*.zip"]) != before


def test_an_unknown_publication_is_named_with_the_nearest(tmp_path: Path) -> None:
    made(tmp_path)
    registry = read_registry(tmp_path / "corpora.yaml")
    with pytest.raises(UserError, match=r"corpora\.x\.source: there is no publication 'mad'; did you mean 'made'"):
        find_publications(registry, ["mad"], "corpora.x.source")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("publications: [", "is not YAML"), ("publications: {made: {title: a}}", r"'publications\.made\.version'")],
)
def test_a_broken_registry_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "corpora.yaml").write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_registry(tmp_path / "corpora.yaml")


def test_one_publishers_layout_is_no_part_of_another_corpus() -> None:
    package = REPOSITORY / "src" / "pipeline"
    for script, adapter in (("build_manifest", "chexpert"), ("fetch_corpus", "mimic_cxr")):
        entries = [REPOSITORY / "workflow/scripts" / f"{script}.py", package / f"sources/adapters/{adapter}.py"]
        layouts = {path.stem for path in reached_files(entries) if path.parent.name == "layouts"}
        own = {"chexpert": "chest_xray", "mimic_cxr": "mimic"}[adapter]
        assert layouts == {"__init__", "base", "parse", own}
    shards = reached_files([REPOSITORY / "workflow/scripts/write_shards.py"])
    assert {path.stem for path in shards if path.parent.name == "layouts"} == {"__init__", "base"}
