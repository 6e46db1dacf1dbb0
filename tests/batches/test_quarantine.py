import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.batches.quarantine import Quarantine
from pipeline.records.errors import UserError


def begin(path: Path, max_bad: int) -> Quarantine:
    return Quarantine(path, max_bad, continues=False)


def test_a_sample_is_listed_once_with_shard_key_and_reason(tmp_path: Path) -> None:
    quarantine = begin(tmp_path / "bad.jsonl", max_bad=3)
    for _ in range(3):
        quarantine.add("a.tar", "k1", "are cut short")
    assert quarantine.count == 1
    assert ("a.tar", "k1") in quarantine
    assert ("b.tar", "k1") not in quarantine
    (line,) = quarantine.path.read_text().splitlines()
    assert json.loads(line) == {"shard": "a.tar", "key": "k1", "reason": "are cut short"}


def test_no_list_is_made_where_nothing_is_damaged(tmp_path: Path) -> None:
    assert begin(tmp_path / "bad.jsonl", max_bad=3).count == 0
    assert not (tmp_path / "bad.jsonl").exists()


def test_one_more_than_tolerated_stops_naming_it_and_the_list(tmp_path: Path) -> None:
    quarantine = begin(tmp_path / "bad.jsonl", max_bad=2)
    quarantine.add("a.tar", "k1", "r")
    quarantine.add("a.tar", "k2", "r")
    with pytest.raises(UserError, match=r"3 damaged samples .* max_bad, 2; .*bad\.jsonl .* b\.tar: .*'k3'"):
        quarantine.add("b.tar", "k3", "r")


def test_trying_again_does_not_undo_the_stop(tmp_path: Path) -> None:
    path = tmp_path / "state" / "bad.jsonl"
    quarantine = begin(path, max_bad=1)
    quarantine.add("a.tar", "k1", "r")
    with pytest.raises(UserError):
        quarantine.add("a.tar", "k2", "r")
    with pytest.raises(UserError, match=r"2 damaged .* restore the shards and delete .*state to begin anew, or raise"):
        Quarantine(path, max_bad=1, continues=True)
    assert Quarantine(path, max_bad=2, continues=True).count == 2


def test_what_an_earlier_try_listed_counts_and_a_line_cut_by_a_kill_does_not(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    begin(path, max_bad=2).add("a.tar", "k1", "r")
    with path.open("a") as stream:
        stream.write('{"shard": "a.tar", "ke')
    again = Quarantine(path, max_bad=2, continues=True)
    assert again.count == 1
    again.add("a.tar", "k2", "r")
    with pytest.raises(UserError, match="'k3'"):
        again.add("a.tar", "k3", "r")
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["k1", "k2", "k3"]


def test_what_other_processes_list_meanwhile_counts_as_soon_as_this_one_lists_another(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jsonl" for number in range(2)]
    first, second = (Quarantine(path, max_bad=2, continues=False, others=paths) for path in paths)
    first.add("a.tar", "k1", "r")
    second.add("a.tar", "k2", "r")
    with pytest.raises(UserError, match=r"3 damaged samples .* max_bad, 2; .*'k3'"):
        first.add("a.tar", "k3", "r")
    assert ("a.tar", "k2") in first


def test_a_line_that_a_power_cut_shortened_in_another_process_s_list_does_not_stop_the_run(tmp_path: Path) -> None:
    other = tmp_path / "1.jsonl"
    begin(other, max_bad=2).add("a.tar", "k1", "r")
    with other.open("a") as stream:
        stream.write('{"shard": "a.tar", "ke')
    assert Quarantine(tmp_path / "0.jsonl", max_bad=2, continues=True, others=[other]).count == 1


def test_a_run_that_begins_anew_forgets_the_list_of_another(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    begin(path, max_bad=2).add("a.tar", "k1", "r")
    assert begin(path, max_bad=0).count == 0
    assert not path.exists()


@pytest.mark.parametrize("line", ['{"shard": "a.tar"', '{"shard": "a.tar", "reason": "r"}', "7", "\\xff", ""])
def test_a_line_that_lists_no_sample_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.jsonl"
    begin(path, max_bad=2).add("a.tar", "k1", "r")
    with path.open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(UserError, match=r"bad\.jsonl, line 2, lists no damaged sample"):
        Quarantine(path, max_bad=2, continues=True)


def test_lists_of_the_same_samples_are_published_as_the_same_bytes(tmp_path: Path) -> None:
    samples = [("b.tar", "k1", "r"), ("a.tar", "k2", "s"), ("a.tar", "k1", "t")]
    contents = []
    for number, found in enumerate((samples, samples[::-1])):
        quarantine = begin(tmp_path / f"{number}.jsonl", max_bad=3)
        for sample in found:
            quarantine.add(*sample)
        contents += [quarantine.content(), Quarantine(quarantine.path, max_bad=3, continues=True).content()]
    assert len(set(contents)) == 1
    listed = [json.loads(line) for line in contents[0].splitlines()]
    assert [tuple(line.values()) for line in listed] == sorted(samples)
    assert begin(tmp_path / "none.jsonl", max_bad=0).content() == b""


def test_threads_that_find_the_same_samples_list_each_once(tmp_path: Path) -> None:
    quarantine = begin(tmp_path / "bad.jsonl", max_bad=50)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: quarantine.add("a.tar", f"k{number % 20}", "r"), range(200)))
    keys = [json.loads(line)["key"] for line in quarantine.path.read_text().splitlines()]
    assert sorted(keys) == sorted(f"k{number}" for number in range(20))
