import shutil
import threading
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from shard_cohort import write_corpus

from pipeline.batches.batch import Boxes, Companions, ImageBatch
from pipeline.batches.loader import TrainingLoader, fixed_batches
from pipeline.batches.order import Share
from pipeline.batches.planes import Planes
from pipeline.batches.quarantine import Quarantine
from pipeline.batches.samples import Samples, Selection
from pipeline.records.errors import UserError
from pipeline.records.events import read_events
from pipeline.shards.index import read_index

TRAIN = Selection(("train",))
EVERYTHING = Companions(masks=("lungs", "heart"), gaze=True, texts=("findings", "impression"), boxes=True)
WAYS: list[dict[str, Any]] = [
    {},
    {"companions": EVERYTHING},
    {"read_size": 16, "companions": EVERYTHING},
    {"mixing": {"first": 2.0, "second": 1.0}},
    {"share": Share(1, 3)},
    {"share": Share(0, 2), "mixing": {"second": 0.7, "first": 0.3}, "companions": EVERYTHING, "read_size": 20},
]


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("corpora")
    return [write_corpus(folder / "first", train=11), write_corpus(folder / "second", train=6, seed=1)]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus", train=14, val=4)


@pytest.fixture(autouse=True)
def _nothing_leaks() -> Iterator[None]:
    """Every test must leave the threads and open files that it found."""
    before = threading.active_count(), psutil.Process().num_fds()
    yield
    assert (threading.active_count(), psutil.Process().num_fds()) == before


def read(indexes: list[Path], first: int, last: int, threads: int = 2, batch: int = 5, **way: Any) -> list[ImageBatch]:
    with Samples(indexes, TRAIN) as samples:
        return list(TrainingLoader(samples, batch, seed=3, threads=threads, **way).batches(first, last))


def assert_equal(ours: Iterable[ImageBatch], theirs: Iterable[ImageBatch]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        for field in fields(ImageBatch):
            assert_equal_parts(getattr(one, field.name), getattr(other, field.name))


def assert_equal_parts(one: object, other: object) -> None:
    assert type(one) is type(other)
    if isinstance(one, Planes | Boxes):
        for field in fields(one):
            assert_equal_parts(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor)
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    else:
        np.testing.assert_array_equal(np.array(one), np.array(other))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(way) or "plain")
def test_batches_are_the_same_for_any_number_of_threads_and_any_start(indexes: list[Path], way: dict[str, Any]) -> None:
    whole = read(indexes, 0, 9, threads=1, **way)
    for threads, first in [(4, 0), (1, 4), (3, 8), (0, 3)]:
        assert_equal(read(indexes, first, 9, threads, **way), whole[first:])


@given(st.integers(1, 4), st.integers(1, 5), st.data())
@hypothesis_settings(max_examples=15)
def test_every_key_is_read_once_per_epoch_over_all_processes(
    indexes: list[Path], world: int, threads: int, data: st.DataObject
) -> None:
    batch = data.draw(st.integers(world, 25))
    with Samples(indexes, TRAIN) as samples:
        steps = -(-2 * len(samples) // batch)
        loaders = [TrainingLoader(samples, batch, 0, threads, share=Share(rank, world)) for rank in range(world)]
        batches = [batch for loader in loaders for batch in loader.batches(0, steps)]
        keys = [
            (epoch, samples.key(position))
            for batch in batches
            for epoch, position in zip(batch.epochs, batch.indices, strict=True)
        ]
        wanted = {(epoch, samples.key(position)) for epoch in range(2) for position in range(len(samples))}
    assert sorted(key for key in keys if key[0] < 2) == sorted(wanted)


@pytest.mark.parametrize("mixing", [None, {"first": 1.0, "second": 4.0}])
def test_a_run_can_be_resumed_at_every_place_of_an_epoch(indexes: list[Path], mixing: dict[str, float] | None) -> None:
    whole = read(indexes, 0, 18, batch=1, mixing=mixing)
    for first in range(18):
        assert_equal(read(indexes, first, 18, batch=1, mixing=mixing)[:2], whole[first : first + 2])


@pytest.mark.parametrize("world", [1, 2, 4])
def test_processes_share_a_batch_without_overlap(indexes: list[Path], world: int) -> None:
    whole = read(indexes, 0, 6, batch=7)
    parts = [read(indexes, 0, 6, batch=7, share=Share(rank, world)) for rank in range(world)]
    for step, batch in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([part[step].indices for part in parts]), batch.indices)
        np.testing.assert_array_equal(np.concatenate([part[step].epochs for part in parts]), batch.epochs)


@given(st.integers(1, 4), st.integers(1, 3), st.data())
@hypothesis_settings(max_examples=15)
def test_parts_of_all_processes_are_the_batch_in_order(
    indexes: list[Path], world: int, parts: int, data: st.DataObject
) -> None:
    batch = data.draw(st.integers(world * parts, 20))
    whole = read(indexes, 1, 4, threads=0, batch=batch)
    shares = [read(indexes, 1, 4, batch=batch, share=Share(rank, world), parts=parts) for rank in range(world)]
    for step, wanted in enumerate(whole):
        taken = [part for share in shares for part in share[step * parts : (step + 1) * parts]]
        np.testing.assert_array_equal(np.concatenate([part.indices for part in taken]), wanted.indices)
        np.testing.assert_array_equal(np.concatenate([part.epochs for part in taken]), wanted.epochs)
        sizes = list(map(len, taken))
        assert min(sizes) >= 1
        assert max(sizes) - min(sizes) <= 1


def test_the_pixels_of_parts_are_those_of_the_batch(indexes: list[Path]) -> None:
    whole = read(indexes, 0, 3, batch=7)
    parts = read(indexes, 0, 3, batch=7, parts=3)
    for step, batch in enumerate(whole):
        images = [image for part in parts[3 * step : 3 * step + 3] for image in planes_of(part.images)]
        for ours, theirs in zip(images, planes_of(batch.images), strict=True):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("mixing", [None, {"first": 1.0, "second": 4.0}])
def test_the_keys_of_a_step_name_corpus_and_image_of_its_whole_batch(
    indexes: list[Path], mixing: dict[str, float] | None
) -> None:
    whole = read(indexes, 0, 5, batch=6, mixing=mixing)
    with Samples(indexes, TRAIN) as samples:
        loader = TrainingLoader(samples, 6, seed=3, threads=1, mixing=mixing, share=Share(1, 3))
        for step, batch in enumerate(whole):
            folders = [samples.shard(int(position)).parent.name for position in batch.indices]
            names = [samples.key(int(position)) for position in batch.indices]
            assert loader.keys(step) == [f"{folder}/{name}" for folder, name in zip(folders, names, strict=True)]


def test_without_threads_a_batch_is_read_when_it_is_asked_for(index: Path) -> None:
    with Samples([index], TRAIN) as samples:
        loader = TrainingLoader(samples, 1, seed=3, threads=0)
        before = threading.active_count()
        batches = loader.batches(0, 14)
        next(batches)
        assert threading.active_count() == before
        (second,) = loader.keys(1)
        key = second.removeprefix("corpus/")
        damage(index, key, "bit flip")
        with pytest.raises(UserError, match=f"'{key}'"):
            next(batches)


def test_mixing_names_every_corpus_and_no_other(indexes: list[Path]) -> None:
    swapped = {"second": 1.0, "first": 2.0}
    assert_equal(read(indexes, 0, 4, mixing=swapped), read(indexes, 0, 4, mixing={"first": 2.0, "second": 1.0}))
    for mixing in ({"first": 1.0}, swapped | {"third": 1.0}):
        with pytest.raises(UserError, match="where the samples are of first, second; give one to each"):
            read(indexes, 0, 1, mixing=mixing)


@pytest.mark.parametrize("mixing", [None, {"corpus": 1.0, "first": 1.0}])
def test_training_without_a_sample_of_some_corpus_is_refused(
    indexes: list[Path], index: Path, mixing: dict[str, float] | None
) -> None:
    with Samples([index, indexes[0]], Selection(("val",), views=("PA",))) as samples:
        assert samples.corpus_sizes == (2, 0)
        with pytest.raises(UserError, match="corpus first has no sample of the splits val and views PA; take it out"):
            TrainingLoader(samples, 2, 0, 1, mixing=mixing)
        assert len(list(fixed_batches(samples, 2, np.arange(2), 1))) == 1


def test_a_process_without_an_image_is_refused(indexes: list[Path]) -> None:
    with pytest.raises(UserError, match="batch_size 5 is less than one image for each of 6 processes"):
        read(indexes, 0, 1, share=Share(0, 6))
    with pytest.raises(UserError, match="one image for each of 3 processes in each of 2 parts"):
        read(indexes, 0, 1, share=Share(0, 3), parts=2)


@pytest.mark.parametrize("read_size", [None, 16])
def test_images_lie_in_the_upper_left_corner_of_the_smallest_tensor(indexes: list[Path], read_size: int | None) -> None:
    with Samples(indexes, TRAIN) as samples:
        for batch in TrainingLoader(samples, 6, 0, threads=2, read_size=read_size).batches(0, 6):
            assert batch.images.pixels.dtype == torch.uint8
            assert batch.images.pixels.shape == (6, 1, *batch.images.sizes.amax(0))
            for place, position in enumerate(batch.indices):
                image = torch.from_numpy(samples.image(int(position), read_size))
                assert tuple(batch.images.sizes[place]) == image.shape
                padded = torch.zeros(batch.images.pixels.shape[2:], dtype=torch.uint8)
                padded[: image.shape[0], : image.shape[1]] = image
                assert torch.equal(batch.images.pixels[place, 0], padded)


def test_companions_stand_beside_their_image(indexes: list[Path]) -> None:
    with Samples(indexes, TRAIN) as samples:
        batches = list(TrainingLoader(samples, 6, 0, 2, EVERYTHING, read_size=16).batches(0, 3))
        numbers = [int(samples.key(int(position))[-3:]) for batch in batches for position in batch.indices]
    masks = [mask for batch in batches for mask in planes_of(batch.masks)]
    gazes = [gaze for batch in batches for gaze in planes_of(batch.gaze)]
    for place, number in enumerate(numbers):
        batch, within = batches[place // 6], place % 6
        assert batch.masked is not None
        assert batch.masked[within].tolist() == [number % 2 == 0, number % 3 == 0]
        assert batch.gazed is not None
        assert bool(batch.gazed[within]) == (number % 3 == 0) == bool(gazes[place].any())
        lungs, heart = masks[place] > 0
        assert int(lungs.any(1).sum()) == (number + 1 if number % 2 == 0 else 0)
        assert int(heart.any(1).sum()) == (len(heart) - number - 1 if number % 3 == 0 else 0)
        assert batch.texts is not None
        assert batch.texts[within] == (f"clear no change {number}" if number % 3 == 0 else "clear")
        height, width = masks[place].shape[1:]
        corners = torch.tensor([4 / width, 2 / height, 12 / width, 18 / height])
        assert batch.boxes is not None
        own = batch.boxes.corners[batch.boxes.images == within]
        torch.testing.assert_close(own, corners.expand(number % 3, 4))
        assert len(batch.boxes.labels) == len(batch.boxes.corners)


def planes_of(planes: Planes | None) -> list[torch.Tensor]:
    """Return each image's part of the tensor; the rest must be 0."""
    assert planes is not None
    parts = []
    for place, (height, width) in zip(planes.pixels, planes.sizes.tolist(), strict=True):
        parts.append(place[:, :height, :width])
        assert place.sum() == parts[-1].sum()
    return parts


def test_companions_that_no_image_of_a_batch_has_are_zeros(indexes: list[Path]) -> None:
    nothing = Companions(masks=("heart",), texts=("impression",), boxes=True)
    with Samples(indexes[:1], Selection(("train",), keys=frozenset({"0-009", "0-001"}))) as samples:
        (batch,) = fixed_batches(samples, 4, np.array([0]), 2, nothing)
    assert batch.masks is not None
    assert not batch.masks.pixels.any()
    assert batch.masked is not None
    assert batch.masked.tolist() == [[False]]
    assert batch.gaze is batch.gazed is None
    assert batch.texts == (None,)


def test_reading_in_order_gives_every_sample_once(indexes: list[Path]) -> None:
    with Samples(indexes, TRAIN) as samples:
        batches = list(fixed_batches(samples, 7, np.arange(len(samples)), threads=2))
        assert_equal(fixed_batches(samples, 7, np.arange(len(samples)), threads=0), batches)
    assert [len(batch) for batch in batches] == [7, 7, 3]
    assert np.concatenate([batch.indices for batch in batches]).tolist() == list(range(17))
    assert not np.concatenate([batch.epochs for batch in batches]).any()


def test_without_a_decoder_of_fractions_whole_images_are_read(
    indexes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read(indexes, 0, 3)
    monkeypatch.setattr("pipeline.shards.jpeg.simplejpeg", None)
    for ours, theirs in zip(read(indexes, 0, 3, read_size=16), whole, strict=True):
        assert torch.equal(ours.images.sizes, theirs.images.sizes)
        torch.testing.assert_close(ours.images.pixels, theirs.images.pixels, rtol=0, atol=2)


def test_a_view_of_a_batch_keeps_its_values_while_reading_goes_on(indexes: list[Path]) -> None:
    with Samples(indexes, TRAIN) as samples:
        batches = TrainingLoader(samples, 5, 0, threads=2).batches(0, 40)
        view = next(batches).images.pixels.numpy()[2, 0, 1:, 1:]
        values = view.copy()
        reused = {batch.images.pixels.data_ptr() for batch in batches}
    np.testing.assert_array_equal(view, values)
    assert len(reused) < 20


def damage(index: Path, key: str, fault: str, member: str = "jpg") -> Path:
    """Damage one member of a sample, or what holds it; return the shard."""
    (row,) = [row for row in read_index(index).to_pylist() if row["key"] == key]
    extents = {"jpg": row} | {member["name"]: member for member in row["members"]}
    offset, size = extents[member]["offset"], extents[member]["size"]
    shard: Path = index.parent / row["shard"]
    content = bytearray(shard.read_bytes())
    if fault == "bit flip":
        content[offset + size // 2] ^= 1
    elif fault == "zeroed block":
        content[offset : offset + size] = bytes(size)
    elif fault == "swapped shard":
        content[:] = (index.parent / "val-000000.tar").read_bytes().ljust(len(content), b"\0")[: len(content)]
    elif fault == "stale index":
        other = write_corpus(index.parent / "rewritten", train=14, val=4, seed=5)
        content[:] = (other.parent / row["shard"]).read_bytes().ljust(len(content), b"\0")[: len(content)]
    shard.write_bytes(content)
    return shard


@pytest.mark.parametrize("member", ["jpg", "mask.lungs.png", "gaze.png", "impression.txt", "json"])
@pytest.mark.parametrize("fault", ["bit flip", "zeroed block"])
def test_damage_of_any_member_is_named_with_shard_and_key(index: Path, fault: str, member: str) -> None:
    damage(index, "0-006", fault, member)
    expected = rf"train-000001\.tar: .* '0-006', from byte [\d,]+ on, are not those that were indexed \({member}\)"
    with pytest.raises(UserError, match=expected):
        read([index], 0, 4, companions=EVERYTHING)


@pytest.mark.parametrize("fault", ["swapped shard", "stale index"])
def test_a_shard_that_is_another_is_named_with_shard_and_key(index: Path, fault: str) -> None:
    damage(index, "0-006", fault)
    with pytest.raises(
        UserError,
        match=r"train-000001\.tar: the bytes of sample '0-00\d', from byte [\d,]+ on, are not those that were",
    ):
        read([index], 0, 4)


def test_members_that_are_not_asked_for_are_not_read(index: Path) -> None:
    whole = read([index], 0, 4)
    damage(index, "0-006", "zeroed block", "mask.lungs.png")
    assert_equal(read([index], 0, 4), whole)


def test_a_shard_cut_or_removed_while_it_is_read_is_named(index: Path) -> None:
    with Samples([index], TRAIN) as samples:
        shard = index.parent / "train-000001.tar"
        shard.write_bytes(shard.read_bytes()[:5000])
        with pytest.raises(
            UserError, match=r"train-000001\.tar: the bytes of sample '0-00\d', from byte [\d,]+ on, are cut short"
        ):
            list(TrainingLoader(samples, 5, 0, 2).batches(0, 4))
    shutil.rmtree(index.parent)


def test_a_caller_that_stops_leaves_no_thread(indexes: list[Path]) -> None:
    before = threading.active_count()
    with Samples(indexes, TRAIN) as samples:
        batches = TrainingLoader(samples, 5, 0, threads=3).batches(0, 10_000)
        next(batches)
        assert threading.active_count() > before
        del batches
        assert threading.active_count() == before
        for _ in fixed_batches(samples, 1, np.arange(17), threads=3):
            break
        assert threading.active_count() == before


def test_an_error_between_two_batches_leaves_nothing_open(indexes: list[Path]) -> None:
    with pytest.raises(ZeroDivisionError), Samples(indexes, TRAIN) as samples:
        [1 // 0 for _ in TrainingLoader(samples, 5, 0, threads=3).batches(0, 10_000)]


def read_without_damaged(
    index: Path, listing: Path, threads: int, first: int = 0, max_bad: int = 3
) -> list[ImageBatch]:
    with Samples([index], TRAIN, Quarantine(listing, max_bad, continues=True)) as samples:
        loader = TrainingLoader(samples, 6, 3, threads, Companions(masks=("lungs",)))
        return list(loader.batches(first, 9))


def test_damaged_samples_are_replaced_alike_for_any_threads_and_start(index: Path, tmp_path: Path) -> None:
    whole = read([index], 0, 9, batch=6, companions=Companions(masks=("lungs",)))
    damage(index, "0-006", "bit flip")
    damage(index, "0-012", "zeroed block", "mask.lungs.png")
    listing = tmp_path / "bad.jsonl"
    replaced = read_without_damaged(index, listing, threads=1)
    listed = [(event["key"], event["reason"]) for event in read_events(listing)]
    assert sorted(listed) == [
        ("0-006", "are not those that were indexed (jpg)"),
        ("0-012", "are not those that were indexed (mask.lungs.png)"),
    ]
    assert {event["shard"] for event in read_events(listing)} == {"corpus/train-000001.tar", "corpus/train-000002.tar"}
    for threads, first, kept in [(4, 0, False), (2, 5, False), (3, 5, True)]:
        if not kept:
            listing.unlink()
        assert_equal(read_without_damaged(index, listing, threads, first), replaced[first:])
    for ours, theirs in zip(replaced, whole, strict=True):
        np.testing.assert_array_equal(ours.epochs, theirs.epochs)
        moved = ours.indices != theirs.indices
        np.testing.assert_array_equal(moved, np.isin(theirs.indices, [6, 12]))
        assert not np.isin(ours.indices, [6, 12]).any()
        assert ours.images.pixels.shape[2:] == tuple(ours.images.sizes.amax(0))


def test_a_damaged_sample_counts_once_however_its_corpus_is_reached(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(index, "0-006", "bit flip")
    read_without_damaged(index, tmp_path / "bad.jsonl", threads=1, max_bad=1)
    monkeypatch.chdir(index.parent)
    read_without_damaged(Path(index.name), tmp_path / "bad.jsonl", threads=1, max_bad=1)
    assert len(list(read_events(tmp_path / "bad.jsonl"))) == 1


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_a_damaged_sample_is_listed_when_its_batch_is_handed_out(index: Path, tmp_path: Path, threads: int) -> None:
    quarantine = Quarantine(tmp_path / "bad.jsonl", 14, continues=False)
    with Samples([index], TRAIN, quarantine) as samples:
        loader = TrainingLoader(samples, 2, 3, threads)
        fourth = loader.keys(3)[1].removeprefix("corpus/")
        damage(index, fourth, "bit flip")
        batches = loader.batches(0, 7)
        for handed_out in range(1, 6):
            next(batches)
            assert quarantine.count == (handed_out > 3)
        del batches


def test_a_replacement_is_of_the_same_corpus(tmp_path: Path) -> None:
    indexes = [write_corpus(tmp_path / "first", train=20), write_corpus(tmp_path / "second", train=3, seed=1)]
    damage(indexes[1], "1-001", "bit flip")
    with Samples(indexes, TRAIN, Quarantine(tmp_path / "bad.jsonl", 1, continues=False)) as samples:
        batches = list(TrainingLoader(samples, 20, 0, 2, mixing={"first": 1, "second": 1}).batches(0, 50))
    indices = np.concatenate([batch.indices for batch in batches])
    assert np.bincount(indices >= 20).tolist() == [500, 500]
    assert set(indices[indices >= 20]) == {20, 22}


def test_more_damage_than_tolerated_stops(index: Path, tmp_path: Path) -> None:
    for key in ("0-001", "0-006", "0-012"):
        damage(index, key, "bit flip")
    with pytest.raises(UserError, match=r"3 damaged samples are more than max_bad, 2; .*bad\.jsonl"):
        read_without_damaged(index, tmp_path / "bad.jsonl", threads=2, max_bad=2)


def test_where_none_is_tolerated_the_damage_itself_is_reported(index: Path, tmp_path: Path) -> None:
    damage(index, "0-006", "bit flip")
    with pytest.raises(
        UserError, match=r"train-000001\.tar: the bytes of sample '0-006', from byte [\d,]+ on, are not"
    ):
        read_without_damaged(index, tmp_path / "bad.jsonl", threads=2, max_bad=0)
    assert not (tmp_path / "bad.jsonl").exists()


def test_reading_in_order_tolerates_no_damage(index: Path, tmp_path: Path) -> None:
    damage(index, "0-006", "bit flip")
    quarantine = Quarantine(tmp_path / "bad.jsonl", 5, continues=False)
    with Samples([index], TRAIN, quarantine) as samples, pytest.raises(UserError, match="'0-006'"):
        list(fixed_batches(samples, 5, np.arange(14), threads=2))
    assert quarantine.count == 0


def test_a_corpus_of_damaged_samples_ends(tmp_path: Path) -> None:
    index = write_corpus(tmp_path / "corpus", train=2)
    for key in ("0-000", "0-001"):
        damage(index, key, "bit flip")
    with pytest.raises(UserError, match="in a row are damaged"):
        read_without_damaged(index, tmp_path / "bad.jsonl", threads=2)
