import os
import threading
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
from fake_publisher import (
    POLICY,
    TODAY,
    Behaviour,
    FakePublisher,
    QuickClock,
    bring,
    is_complete,
    made_files,
    publication_at,
    publishing_at_loopback,
    random_faults,
)

from pipeline.records.errors import UserError
from pipeline.sources.download.fetch import download
from pipeline.sources.download.retry import Retries, TryAgain

BIG = {"big.zip": os.urandom(200_000)}
TARGET = "big.zip"


def fail(path: str, *faults: str) -> Callable[[str, int], str]:
    """Return faults of the first requests for a path."""
    return lambda asked, count: faults[count] if asked == path and count < len(faults) else ""


def open_publisher(*faults: str, validators: bool = True) -> Behaviour:
    return Behaviour(protected=False, validators=validators, faults=fail(TARGET, *faults))


@pytest.mark.parametrize("validators", [True, False], ids=["with ETag", "without"])
def test_a_lost_connection_is_resumed_where_it_was_lost(tmp_path: Path, validators: bool) -> None:
    with publishing_at_loopback(BIG, open_publisher("drop", "drop", validators=validators)) as server:
        bring(server, tmp_path)
    assert is_complete(tmp_path, BIG)
    assert [request.range for request in server.asked(TARGET)] == [None, "bytes=100000-", "bytes=150000-"]


def test_a_part_of_an_earlier_run_is_continued(tmp_path: Path) -> None:
    impatient = replace(POLICY, attempts=1)
    with publishing_at_loopback(BIG, open_publisher("drop")) as server:
        with pytest.raises(UserError, match=r"the connection was lost; failures in a row: 1\)"):
            bring(server, tmp_path, impatient)
        assert sorted(path.name for path in tmp_path.glob("big*")) == ["big.zip.part", "big.zip.part-tag"]
        bring(server, tmp_path)
    assert is_complete(tmp_path, BIG)
    assert [request.range for request in server.asked(TARGET)] == [None, "bytes=100000-"]


def test_a_part_that_was_whole_is_published_without_a_request(tmp_path: Path) -> None:
    (tmp_path / "big.zip.part").write_bytes(BIG[TARGET])
    (tmp_path / "big.zip.part-tag").write_text("\n")
    with publishing_at_loopback(BIG, open_publisher()) as server:
        bring(server, tmp_path)
    assert is_complete(tmp_path, BIG)
    assert server.asked(TARGET) == []


@pytest.mark.parametrize(
    ("part", "tag"),
    [(b"old bytes", '"old"\n'), (b"x" * 300_000, "\n"), (b"x" * 99, '"cut sho'), (b"x" * 99, None)],
    ids=["of another version", "longer than the file", "with half a tag", "without a tag"],
)
def test_a_part_of_another_file_is_thrown_away(tmp_path: Path, part: bytes, tag: str | None) -> None:
    (tmp_path / "big.zip.part").write_bytes(part)
    if tag is not None:
        (tmp_path / "big.zip.part-tag").write_text(tag)
    with publishing_at_loopback(BIG, open_publisher()) as server:
        bring(server, tmp_path)
    assert is_complete(tmp_path, BIG)
    assert len(server.asked(TARGET)) <= 2


def test_a_file_that_changes_between_two_requests_is_fetched_whole(tmp_path: Path) -> None:
    changed = {TARGET: BIG[TARGET][::-1]}
    with publishing_at_loopback(changed, Behaviour(protected=False)) as server:

        def change(path: str, count: int) -> str:
            server.files = changed if path == TARGET and count else BIG
            return "drop" if path == TARGET and count == 0 else ""

        server.behaviour.faults = change
        bring(server, tmp_path)
    assert is_complete(tmp_path, changed)
    assert [request.range for request in server.asked(TARGET)] == [None, "bytes=100000-"]


def test_a_server_that_ignores_ranges_sends_all_again(tmp_path: Path) -> None:
    with publishing_at_loopback(BIG, open_publisher("drop", "whole")) as server:
        bring(server, tmp_path)
    assert is_complete(tmp_path, BIG)


@pytest.mark.parametrize("fault", ["flip", "short"])
def test_wrong_bytes_are_fetched_anew_a_few_times_and_never_published(tmp_path: Path, fault: str) -> None:
    with publishing_at_loopback(BIG, open_publisher(fault, fault)) as server:
        bring(server, tmp_path / "mended")
    assert is_complete(tmp_path / "mended", BIG)
    with publishing_at_loopback(BIG, open_publisher(*[fault] * 9)) as server:
        with pytest.raises(UserError, match=r"^big.zip \(line 1 of .*\) came 3 times with bytes that do not have"):
            bring(server, tmp_path / "wrong")
        assert len(server.asked(TARGET)) == 3
    assert list((tmp_path / "wrong").glob("big*")) == []


def test_a_connection_that_is_always_lost_at_the_same_byte_ends_with_a_sentence(tmp_path: Path) -> None:
    behaviour = Behaviour(protected=False, faults=lambda path, _: "drop" if path == TARGET else "", validators=False)
    with publishing_at_loopback({TARGET: b"x"}, behaviour) as server:
        with pytest.raises(UserError, match=r"could not be fetched \(the connection was lost; failures in a row: 10\)"):
            bring(server, tmp_path)
        assert len(server.asked(TARGET)) == 10


def test_a_busy_server_is_given_the_time_it_asks_for(tmp_path: Path) -> None:
    with publishing_at_loopback(BIG, open_publisher("busy", "unavailable", "busy", "reset", "reset")) as server:
        waits = bring(server, tmp_path).waits
    assert is_complete(tmp_path, BIG)
    assert (waits[0], waits[2]) == (7.0, 7.0)
    assert 1.0 <= waits[1] <= 2.0
    assert 4.0 <= waits[3] <= 8.0


def test_silence_counts_as_a_failure(tmp_path: Path) -> None:
    go_on = threading.Event()

    def stall(path: str, count: int) -> str:
        if path == TARGET and count == 0:
            go_on.wait(10)
        return ""

    with publishing_at_loopback(BIG, Behaviour(protected=False, faults=stall)) as server:
        waits = bring(server, tmp_path, replace(POLICY, timeout=0.1)).waits
        go_on.set()
    assert is_complete(tmp_path, BIG)
    assert len(waits) >= 1


def test_a_server_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    with publishing_at_loopback(BIG, open_publisher()) as server:
        url = server.url
    with pytest.raises(
        UserError,
        match=r"^the list http://.* \(127.0.0.1 cannot be reached: ConnectionRefusedError; failures in a row: 10\)",
    ):
        download("demo", publication_at(url, access="open"), tmp_path, 1, POLICY, QuickClock())


def attempts_until(clock: QuickClock, label: str = "x", *, after: float = 0.0, gains: bool = False) -> tuple[int, str]:
    """Fail for ever; return the number of attempts and the sentence at the end."""
    count = 0

    def attempt() -> None:
        nonlocal count
        count += 1
        raise TryAgain("busy", after)

    retries = Retries(replace(POLICY, attempts=8, patience=500), clock, threading.Event())
    with pytest.raises(UserError) as given_up:
        retries.persist(attempt, lambda: min(count, 50) if gains else 0, label)
    return count, str(given_up.value)


def test_waits_double_up_to_a_limit_and_differ_between_files() -> None:
    clock = QuickClock()
    assert attempts_until(clock)[0] == 8
    for wait, doubled in zip(clock.waits, (1, 2, 4, 8, 16, 32, 64), strict=True):
        assert doubled / 2 <= wait <= doubled
    other = QuickClock()
    attempts_until(other, "y")
    assert not set(clock.waits) & set(other.waits)


def test_patience_ends_before_a_wait_that_is_too_long() -> None:
    clock = QuickClock()
    assert attempts_until(clock, after=499) == (
        2,
        "x could not be fetched (busy; failures in a row: 2); run again later",
    )
    assert clock.waits == [499]


def test_new_bytes_renew_patience() -> None:
    assert attempts_until(QuickClock(), gains=True)[0] == 50 + 7


@pytest.mark.parametrize(
    ("asked", "waited"), [(formatdate(TODAY + 90, usegmt=True), 90.0), (formatdate(0, usegmt=True), 0.0), ("soon", 0.0)]
)
def test_a_date_says_how_long_to_wait_as_well_as_seconds_do(tmp_path: Path, asked: str, waited: float) -> None:
    behaviour = open_publisher("busy")
    behaviour.retry_after = asked
    with publishing_at_loopback(BIG, behaviour) as server:
        waits = bring(server, tmp_path).waits
    assert waited <= waits[0] <= waited + 1


@pytest.mark.parametrize("seed", range(6))
def test_under_all_faults_together_a_download_ends_complete_or_with_one_sentence(tmp_path: Path, seed: int) -> None:
    files = made_files(60, 30_000, seed)
    behaviour = Behaviour(protected=False, faults=random_faults(seed, share=(0.2, 0.4, 0.6)[seed % 3]))
    with publishing_at_loopback(files, behaviour) as server:
        for _ in range(60):
            sentence = sentence_of(server, tmp_path)
            assert "\n" not in sentence
            assert all((tmp_path / path).read_bytes() == files[path] for path in files if (tmp_path / path).exists())
            if not sentence:
                break
    assert is_complete(tmp_path, files)


def sentence_of(server: FakePublisher, root: Path) -> str:
    """Return the sentence that a download ends with; none where it ends well."""
    try:
        bring(server, root, replace(POLICY, attempts=3))
    except UserError as error:
        return str(error)
    return ""


def test_thousands_of_small_files_come_through_a_few_connections(tmp_path: Path) -> None:
    files = made_files(1500, 300)
    with publishing_at_loopback(files, Behaviour(protected=False)) as server:
        bring(server, tmp_path)
    assert is_complete(tmp_path, files)
    assert len(server.requests) == 1501
    assert len({request.port for request in server.requests}) <= 4
