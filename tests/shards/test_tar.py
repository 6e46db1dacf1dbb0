import io
import json
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import webdataset as wds
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records.digests import file_digest
from pipeline.shards.index import INDEX_SCHEMA
from pipeline.shards.jpeg import encode_jpeg
from pipeline.shards.tar import Sample, write_tar

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
MASK = np.where(PIXELS > 100, 255, 0).astype(np.uint8)


def sample(key: str, jpeg: bytes = b"jpeg", members: dict[str, bytes] | None = None) -> Sample:
    return Sample(
        key=key,
        patient="made:1",
        study="made:1/0",
        view="PA",
        split="val",
        width=7,
        height=5,
        jpeg=jpeg,
        members={"json": b"{}"} if members is None else members,
        fingerprint=bytes(range(32)),
    )


def full_sample(key: str) -> Sample:
    members = {
        "findings.txt": "Kein Erguß.".encode(),
        "json": json.dumps({"patient": "made:1"}).encode(),
        "mask.lungs.png": cv2.imencode(".png", MASK)[1].tobytes(),
    }
    return sample(key, encode_jpeg(PIXELS, 95), members)


def test_webdataset_streams_and_decodes_every_member(tmp_path: Path) -> None:
    keys = [f"image-{number}" for number in range(4)]
    write_tar(tmp_path / "val-000000.tar", map(full_sample, keys))
    streamed = list(wds.WebDataset(str(tmp_path / "val-000000.tar"), shardshuffle=False).decode("l8"))
    assert [found["__key__"] for found in streamed] == keys
    for found in streamed:
        assert found["findings.txt"] == "Kein Erguß."
        assert found["json"] == {"patient": "made:1"}
        np.testing.assert_array_equal(found["mask.lungs.png"], MASK)
        assert np.abs(found["jpg"].astype(int) - PIXELS).mean() < 10


def test_rows_have_the_columns_of_the_index_and_the_summary_is_of_the_file(tmp_path: Path) -> None:
    tar = tmp_path / "val-000000.tar"
    rows, summary = write_tar(tar, [full_sample("a"), full_sample("b")])
    assert rows.schema == INDEX_SCHEMA
    assert (summary.shard, summary.samples) == ("val-000000.tar", 2)
    assert (summary.size, summary.sha256) == (tar.stat().st_size, file_digest(tar))
    first = rows.to_pylist()[0]
    known = {"key": "a", "shard": "val-000000.tar", "view": "PA", "split": "val", "width": 7, "height": 5}
    assert known.items() <= first.items()
    assert [member["name"] for member in first["members"]] == ["findings.txt", "json", "mask.lungs.png"]


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_-]{1,300}", fullmatch=True),
        st.dictionaries(
            st.sampled_from(["json", "gaze.png", "mask.heart.png", "impression.txt"]),
            st.binary(max_size=20) | st.integers(510, 514).map(bytes),
        ),
        max_size=5,
    ),
    st.binary(max_size=1200),
)
def test_the_index_leads_to_every_member_whatever_its_key_and_size(
    tmp_path_factory: pytest.TempPathFactory, described: dict[str, dict[str, bytes]], jpeg: bytes
) -> None:
    tar = tmp_path_factory.mktemp("tar") / "val-000000.tar"
    rows, _ = write_tar(tar, (sample(key, jpeg, members) for key, members in described.items()))
    content = tar.read_bytes()
    assert [row["key"] for row in rows.to_pylist()] == list(described)
    for row in rows.to_pylist():
        expected = {"jpg": jpeg} | described[row["key"]]
        for member in [row | {"name": "jpg"}, *row["members"]]:
            found = content[member["offset"] : member["offset"] + member["size"]]
            assert found == expected.pop(member["name"])
            assert zlib.crc32(found) == member["crc32"]
        assert not expected


def test_a_key_longer_than_the_name_field_of_a_header_streams_whole(tmp_path: Path) -> None:
    keys = ["k" * length for length in (95, 96, 97, 150, 300)]
    write_tar(tmp_path / "val-000000.tar", map(full_sample, keys))
    streamed = wds.WebDataset(str(tmp_path / "val-000000.tar"), shardshuffle=False)
    assert [found["__key__"] for found in streamed] == keys


def test_headers_name_no_time_owner_or_order_of_this_machine(tmp_path: Path) -> None:
    swapped = sample("a", members={"mask.b.png": b"2", "json": b"1"})
    write_tar(tmp_path / "one.tar", [sample("a", members={"json": b"1", "mask.b.png": b"2"})])
    write_tar(tmp_path / "two.tar", [swapped])
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "one.tar").read_bytes())) as tar:
        headers = {(header.mtime, header.uid, header.gid, header.uname, header.mode) for header in tar}
    assert headers == {(0, 0, 0, "pipeline", 0o444)}


def test_a_tar_that_is_not_written_to_its_end_is_not_there(tmp_path: Path) -> None:
    def failing() -> Iterator[Sample]:
        yield full_sample("a")
        raise ValueError("the second image is damaged")

    with pytest.raises(ValueError, match="second image"):
        write_tar(tmp_path / "val-000000.tar", failing())
    assert list(tmp_path.iterdir()) == []
