import gzip
import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
import yaml
from conftest import REPOSITORY
from pydantic import ValidationError

from pipeline.settings.layouts.base import Access, LayoutSettings
from pipeline.settings.layouts.union import Layout
from pipeline.settings.publications import Publication, Registry

CONFIG = REPOSITORY / "config"
TEXT = (CONFIG / "corpora.yaml").read_text()
PUBLICATIONS = Registry.model_validate(yaml.safe_load(TEXT)).publications
PINNED = {name: publication for name, publication in PUBLICATIONS.items() if publication.pinned}
FETCHED = {name: publication for name, publication in PUBLICATIONS.items() if publication.files_url}
STRICTNESS = {access: level for level, access in enumerate(get_args(Access))}
# Bytes of the listed files, summed over the repositories at the pinned commits; Kermany's as its users state it.
MEASURED_BYTES = {
    "hannover": 51_822_291,
    "kermany": 1_235_512_464,
    "nih_cxr14_samples": 4_556_735,
    "nih_cxr14_tables": 6_800_039,
    "openmask": 52_853_155,
}
SMALLEST: dict[str, object] = {
    "title": "a set",
    "version": "1",
    "publisher": "somebody",
    "licence": "some licence",
    "access": "open",
    "page": "https://example.org/set",
    "files": 1,
    "bytes": 1,
}


def pinned_list(name: str) -> list[tuple[str, str]]:
    """Read a pinned list as (sha256, path) pairs; every line must be one that `sha256sum --check` accepts."""
    lines = (CONFIG / PINNED[name].checksums).read_text().splitlines()
    matches = [re.fullmatch(r"([0-9a-f]{64})  (\S.*\S|\S)", line) for line in lines]
    assert all(matches), f"a line of {name} is not 64 digits, two spaces and a path"
    return [(match[1], match[2]) for match in matches if match]


def layouts() -> dict[str, type[LayoutSettings]]:
    """Return every layout by its format."""
    union, _ = get_args(Layout)
    return {get_args(layout.model_fields["format"].annotation)[0]: layout for layout in get_args(union)}


def test_no_publication_is_named_twice() -> None:
    # A YAML reader keeps the last of two equal keys in silence.
    root = yaml.compose(TEXT)
    assert isinstance(root, yaml.MappingNode)
    (_, entries), *others = root.value
    assert not others
    assert [name for name, count in Counter(key.value for key, _ in entries.value).items() if count > 1] == []


@pytest.mark.parametrize("name", FETCHED)
def test_what_is_fetched_has_a_list_of_checksums_to_be_held_against(name: str) -> None:
    publication = FETCHED[name]
    if publication.pinned:
        assert (CONFIG / publication.checksums).is_file()
    else:
        assert publication.checksums == "SHA256SUMS.txt", "PhysioNet's name of the list"
        assert re.fullmatch(r"https://physionet\.org/files/[a-z0-9-]+/[0-9.]+/", str(publication.files_url))


@pytest.mark.parametrize("name", [name for name, publication in FETCHED.items() if not publication.pinned])
def test_page_and_files_of_a_physionet_set_are_of_the_same_release(name: str) -> None:
    publication = FETCHED[name]
    assert publication.page == str(publication.files_url).replace("/files/", "/content/")
    assert publication.page.endswith(f"/{publication.version}/")


@pytest.mark.parametrize("name", PINNED)
def test_a_pinned_list_names_each_file_once_and_as_many_as_the_registry_says(name: str) -> None:
    paths = [path for _, path in pinned_list(name)]
    assert len(set(paths)) == len(paths) == PINNED[name].files
    assert not [path for path in paths if path.startswith("/") or ".." in path.split("/")]


@pytest.mark.parametrize("name", PINNED)
def test_no_empty_file_hides_in_a_pinned_list(name: str) -> None:
    assert hashlib.sha256(b"").hexdigest() not in [digest for digest, _ in pinned_list(name)]


@pytest.mark.parametrize("name", PINNED)
def test_an_address_of_its_own_belongs_to_one_listed_file(name: str) -> None:
    addresses = PINNED[name].addresses
    assert set(addresses) <= {path for _, path in pinned_list(name)}
    assert len(set(addresses.values())) == len(addresses)


@pytest.mark.parametrize("name", PINNED)
def test_the_size_of_a_pinned_set_is_about_what_was_measured(name: str) -> None:
    assert PINNED[name].bytes == pytest.approx(MEASURED_BYTES[name], rel=0.2)


@pytest.mark.parametrize("name", PINNED)
def test_whatever_is_fetched_from_github_is_fixed_to_a_commit(name: str) -> None:
    publication = PINNED[name]
    addresses = [publication.addresses.get(path, f"{publication.files_url}{path}") for _, path in pinned_list(name)]
    for address in addresses:
        if "github" in address:
            assert re.match(r"https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/", address)


def test_no_pinned_list_lies_about_without_a_publication() -> None:
    listed = {CONFIG / publication.checksums for publication in PINNED.values()}
    assert set((CONFIG / "checksums").iterdir()) == listed


def test_every_layout_is_served_and_only_layouts_are() -> None:
    served = {layout for publication in PUBLICATIONS.values() for layout in publication.serves}
    assert served == set(layouts())


@pytest.mark.parametrize("name", PUBLICATIONS)
def test_a_layout_is_guarded_at_least_as_closely_as_what_it_reads(name: str) -> None:
    publication = PUBLICATIONS[name]
    for layout in publication.serves:
        assert STRICTNESS[layouts()[layout].access] >= STRICTNESS[publication.access]


@pytest.mark.parametrize("name", [name for name, publication in PUBLICATIONS.items() if publication.access != "open"])
def test_terms_can_be_read_where_something_must_be_accepted(name: str) -> None:
    assert re.fullmatch(r"https://[\w.-]+/\S+", PUBLICATIONS[name].page)


@pytest.mark.parametrize("name", [name for name, publication in PUBLICATIONS.items() if publication.files_url is None])
def test_what_cannot_be_fetched_says_what_to_do_and_where_to_put_it(name: str) -> None:
    assert "corpus folder" in PUBLICATIONS[name].by_hand


def test_the_guide_to_the_data_speaks_of_every_publication() -> None:
    guide = (REPOSITORY / "docs" / "data.md").read_text()
    assert [name for name in PUBLICATIONS if f"`{name}`" not in guide] == []


def test_pinned_tables_are_those_at_hand(real_data: Path) -> None:
    at_hand = real_data / "nih_cxr14" / "metadata"
    contents = {
        "data.csv": (real_data / "hannover_cxr_labs" / "data.csv").read_bytes(),
        "metadata/Data_Entry_2017_v2020.csv.gz": (at_hand / "Data_Entry_2017_v2020.csv.gz").read_bytes(),
        "metadata/BBox_List_2017.csv.gz": (at_hand / "BBox_List_2017.csv.gz").read_bytes(),
        # The copy at hand ends its last line, the published list does not.
        "metadata/train_val_list.txt": gzip.decompress((at_hand / "train_val_list.txt.gz").read_bytes()).rstrip(),
    }
    pinned = {path: digest for name in ("hannover", "nih_cxr14_tables") for digest, path in pinned_list(name)}
    for path, content in contents.items():
        assert pinned[path] == hashlib.sha256(content).hexdigest(), path


def test_the_lists_of_medical_mae_are_those_of_its_paper() -> None:
    pinned = {path: digest for digest, path in pinned_list("nih_cxr14_tables")}
    folder = "metadata/medical_mae"
    train = "60cc170f312a2301e5c9a8860fe36437e0ee632b4da8a890b855a669fe3069f4"
    val = "4ea551a628d287bbe19f474408975acfbee98437245956531101cbdab5c4c090"
    assert (pinned[f"{folder}/train_official.txt"], pinned[f"{folder}/val_official.txt"]) == (train, val)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "needs by_hand"),
        ({"by_hand": "ask", "pinned": True}, "only beside files_url"),
        ({"files_url": "https://example.org/files"}, "files_url"),
        ({"files_url": "http://example.org/files/"}, "files_url"),
        ({"by_hand": "ask", "addresses": {"../a.zip": "https://example.org/a.zip"}}, "inside the corpus folder"),
        ({"by_hand": "ask", "known_mismatches": {"/a.jpg": "0" * 64}}, "inside the corpus folder"),
        ({"by_hand": "ask", "access": "free"}, "access"),
        ({"by_hand": "ask", "files": 0}, "files"),
        ({"by_hand": "ask", "license": "MIT"}, "license"),
    ],
)
def test_an_entry_nobody_could_use_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Publication.model_validate(SMALLEST | change)
