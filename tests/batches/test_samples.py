import os
import resource
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from shard_cohort import BOX, image, mask, size, write_corpus
from shard_cohort import samples as samples_of

from pipeline.batches.batch import Companions
from pipeline.batches.companions import SampleReader
from pipeline.batches.decoding import decoded_size
from pipeline.batches.samples import Samples, Selection
from pipeline.batches.shard_files import ShardFiles, open_at_once
from pipeline.records.errors import UserError
from pipeline.records.redaction import redact
from pipeline.shards.index import read_index, read_shards, write_index
from pipeline.shards.jpeg import decode_jpeg, encode_jpeg
from pipeline.shards.tar import write_tar

TRAIN = Selection(("train",))


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus", train=14, val=6)


def test_images_are_those_that_were_stored(index: Path) -> None:
    with Samples([index], TRAIN) as samples:
        for position in range(14):
            assert samples.key(position) == f"0-{position:03d}"
            stored = decode_jpeg(encode_jpeg(image(position), 95))
            np.testing.assert_array_equal(samples.image(position), stored)
            assert tuple(samples.sizes[position]) == stored.shape


def test_corpora_stand_one_after_the_other(index: Path, tmp_path: Path) -> None:
    second = write_corpus(tmp_path / "second", train=3, seed=1)
    with Samples([index, second], TRAIN) as samples:
        assert samples.corpora == ("corpus", "second")
        assert samples.corpus_sizes == (14, 3)
        assert [samples.shard_name(position) for position in (6, 15)] == [
            "corpus/train-000001.tar",
            "second/train-000000.tar",
        ]
        assert [samples.key(position)[0] for position in range(17)] == ["0"] * 14 + ["1"] * 3
        assert samples.corpus(13) == range(14)
        assert samples.corpus(14) == range(14, 17)
        np.testing.assert_array_equal(samples.image(15), decode_jpeg(encode_jpeg(image(1, seed=1), 95)))


def test_a_corpus_without_the_split_leaves_the_others(index: Path, tmp_path: Path) -> None:
    empty = write_corpus(tmp_path / "second", train=3, seed=1)
    with Samples([empty, index], Selection(("val",))) as samples:
        assert samples.corpus_sizes == (0, 6)
        assert samples.corpus(0) == range(6)
        assert samples.image(5).shape == size(19)


@pytest.mark.parametrize(
    ("selection", "numbers"),
    [
        (Selection(("val",)), range(14, 20)),
        (Selection(("train", "val")), range(20)),
        (Selection(("train",), views=("AP",)), range(1, 14, 2)),
        (Selection(("train", "val"), views=("AP", "PA"), keys=frozenset({"0-003", "0-015", "odd"})), (3, 15)),
    ],
)
def test_only_what_is_selected_is_there(index: Path, selection: Selection, numbers: range) -> None:
    companions = Companions(texts=("impression",))
    with Samples([index], selection) as samples:
        assert [samples.key(position) for position in range(len(samples))] == [f"0-{number:03d}" for number in numbers]
        reader = SampleReader(samples, companions, None)
        texts = [reader.read(position).text for position in range(len(samples))]
    assert texts == [f"no change {number}" if number % 3 == 0 else None for number in numbers]


def test_a_selection_without_samples_is_refused(index: Path) -> None:
    with pytest.raises(UserError, match=r"no sample of the splits dev and views PA in .*index\.parquet"):
        Samples([index], Selection(("dev",), views=("PA",)))


def test_companions_belong_to_their_image(index: Path) -> None:
    companions = Companions(masks=("heart", "lungs"), gaze=True, texts=("findings", "impression"), boxes=True)
    with Samples([index], TRAIN) as samples:
        reader = SampleReader(samples, companions, None)
        contents = [reader.read(position) for position in range(len(samples))]
    for drawn, content in enumerate(contents):
        heart, lungs = content.masks
        expected = [(heart, 255 - mask(drawn), 3), (lungs, mask(drawn), 2), (content.gaze, image(drawn, seed=9), 3)]
        for plane, stored, every in expected:
            assert (plane is None) == (drawn % every > 0)
            np.testing.assert_array_equal(plane if plane is not None else stored, stored)
        assert content.text == (f"clear no change {drawn}" if drawn % 3 == 0 else "clear")
        assert [box.height for box in content.boxes] == [BOX["height"]] * (drawn % 3)


@given(st.integers(1, 300), st.integers(1, 300), st.none() | st.integers(1, 320))
@hypothesis_settings(max_examples=300)
def test_the_size_of_a_fraction_is_known_before_it_is_decoded(height: int, width: int, short_side: int | None) -> None:
    content = encode_jpeg(np.zeros((height, width), np.uint8), 50)
    expected = decoded_size(height, width, short_side)
    least = None if expected == (height, width) else short_side
    assert decode_jpeg(content, least).shape == expected
    assert short_side is None or min(expected) >= min(short_side, height, width)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (3, 40), (7, 9), (40, 5)])
def test_images_too_small_for_a_fraction_are_read_whole(tmp_path: Path, size: tuple[int, int]) -> None:
    (stored,) = samples_of(range(1), "train", seed=0)
    tiny = replace(stored, height=size[0], width=size[1], jpeg=encode_jpeg(np.zeros(size, np.uint8), 95))
    table, summary = write_tar(tmp_path / "train-000000.tar", [tiny])
    write_index(tmp_path / "index.parquet", table, [summary])
    with Samples([tmp_path / "index.parquet"], TRAIN) as samples:
        assert {samples.image(0, short_side).shape for short_side in (None, *range(1, 50))} == {size}


def test_a_companion_that_no_sample_has_is_refused_naming_the_indexes(index: Path) -> None:
    val = Selection(("val",), keys=frozenset({"0-017"}))
    with Samples([index], TRAIN) as everyone, Samples([index], val) as one:
        for companions, member in (
            (Companions(masks=("lungs", "spine")), r"mask\.spine\.png"),
            (Companions(masks=("lungs",)), r"mask\.lungs\.png"),
            (Companions(gaze=True), r"gaze\.png"),
            (Companions(texts=("findings", "impression")), r"impression\.txt"),
        ):
            samples = everyone if "spine" in member else one
            with pytest.raises(UserError, match=rf"no sample of .* in .*corpus/index\.parquet has {member}; write"):
                SampleReader(samples, companions, None)
        SampleReader(one, Companions(texts=("findings",), boxes=True), None)
        SampleReader(everyone, Companions(("heart", "lungs"), True, ("impression",), True), None)


def test_a_fraction_of_an_image_is_read_where_that_is_enough(index: Path) -> None:
    with Samples([index], TRAIN) as samples:
        assert samples.image(0, short_side=16).shape == (16, 20)
        assert samples.image(0, short_side=17).shape == (20, 25)
        assert samples.image(0, short_side=99).shape == (32, 40)


def test_a_shard_that_is_gone_or_has_another_size_stops_before_anything_is_read(index: Path) -> None:
    shard = index.parent / "train-000001.tar"
    os.truncate(shard, shard.stat().st_size - 1)
    with pytest.raises(UserError, match=r"train-000001\.tar has"), Samples([index], TRAIN):
        pass
    shard.unlink()
    with pytest.raises(UserError, match=r"train-000001\.tar is gone"), Samples([index], TRAIN):
        pass


def test_only_shards_that_are_needed_have_to_be_there(index: Path) -> None:
    (index.parent / "train-000001.tar").unlink()
    with Samples([index], Selection(("val",))) as samples:
        assert len(samples) == 6


def test_an_index_that_has_other_samples_of_a_shard_than_it_holds_is_refused(index: Path) -> None:
    rows, counts = read_index(index), [4, 6]
    changed = [replace(shard, samples=count) for shard, count in zip(read_shards(index), counts, strict=False)]
    write_index(index, rows, [*changed, *read_shards(index)[2:]])
    with pytest.raises(UserError, match=r"train-000000\.tar holds 4 samples, .* has 5"), Samples([index], TRAIN):
        pass


def test_reading_more_shards_than_may_be_open_keeps_to_the_bound(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(40)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * 100)
    before = open_descriptors()
    files = ShardFiles(paths, limit=6)

    def read(turn: int) -> int:
        file = turn * 7 % len(paths)
        assert files.read(file, 10, 50) == bytes([file]) * 50
        return len(open_descriptors() - before)

    with ThreadPoolExecutor(4) as pool:
        assert max(pool.map(read, range(2000))) <= 6 + 2 * 4
    files.close()
    assert open_descriptors() == before


def test_a_read_behind_the_end_of_a_file_is_short(tmp_path: Path) -> None:
    (tmp_path / "shard").write_bytes(b"0123456789")
    files = ShardFiles([tmp_path / "shard"], limit=1)
    assert files.read(0, 6, 8) == b"6789"
    files.close()
    with pytest.raises(ValueError, match="only inside the block"):
        files.read(0, 6, 8)


def test_a_shard_that_vanishes_while_it_is_read_is_named(index: Path) -> None:
    with Samples([index], TRAIN) as samples:
        shutil.rmtree(index.parent)
        with pytest.raises(UserError, match=r"train-000000\.tar cannot be read \(No such file.*; restore it or run"):
            samples.image(0)


def test_a_file_that_cannot_be_read_for_another_reason_need_not_be_written_again(tmp_path: Path) -> None:
    files = ShardFiles([tmp_path], limit=1)
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\); make it readable and run again$"):
        files.read(0, 0, 8)
    files.close()


def test_the_shards_of_two_sets_of_samples_leave_descriptors_for_other_use() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 0.7 * soft < 2 * open_at_once() <= 0.75 * soft


def test_where_a_log_masks_the_key_the_damaged_sample_can_still_be_found(index: Path) -> None:
    row = read_index(index).to_pylist()[6]
    shard = index.parent / row["shard"]
    content = bytearray(shard.read_bytes())
    content[row["offset"]] ^= 1
    shard.write_bytes(content)
    with Samples([index], TRAIN) as samples, pytest.raises(UserError) as damage:
        samples.image(6)
    logged = redact(str(damage.value))
    assert "'0-006'" not in logged
    assert f"train-000001.tar: the bytes of sample '[…]', from byte {row['offset']:,} on, are not" in logged


@pytest.mark.parametrize("offset", [512, 123_456, 1_234_567, 987_654_321])
def test_no_offset_is_masked(offset: int) -> None:
    sentence = f"the bytes of sample, from byte {offset:,} on, are not those"
    assert redact(sentence) == sentence


def open_descriptors() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())
