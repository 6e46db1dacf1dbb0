import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.batches.quarantine import Quarantine
from pipeline.records.errors import UserError


def test_a_sample_is_listed_once_with_shard_key_and_reason(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "bad.jsonl", max_bad=3)
    for _ in range(3):
        quarantine.add("a.tar", "k1", "are cut short")
    assert quarantine.count == 1
    assert ("a.tar", "k1") in quarantine
    assert ("b.tar", "k1") not in quarantine
    (line,) = quarantine.path.read_text().splitlines()
    assert json.loads(line) == {"shard": "a.tar", "key": "k1", "reason": "are cut short"}


def test_no_list_is_made_where_nothing_is_damaged(tmp_path: Path) -> None:
    assert Quarantine(tmp_path / "bad.jsonl", max_bad=3).count == 0
    assert not (tmp_path / "bad.jsonl").exists()


def test_one_more_than_tolerated_stops_naming_it_and_the_list(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "bad.jsonl", max_bad=2)
    quarantine.add("a.tar", "k1", "r")
    quarantine.add("a.tar", "k2", "r")
    with pytest.raises(UserError, match=r"3 damaged samples .* max_bad, 2; .*bad\.jsonl .* b\.tar: .*'k3'"):
        quarantine.add("b.tar", "k3", "r")


def test_what_an_earlier_try_listed_counts_and_a_line_cut_by_a_kill_does_not(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    Quarantine(path, max_bad=2).add("a.tar", "k1", "r")
    with path.open("a") as stream:
        stream.write('{"shard": "a.tar", "ke')
    again = Quarantine(path, max_bad=2)
    assert again.count == 1
    again.add("a.tar", "k2", "r")
    with pytest.raises(UserError, match="'k3'"):
        again.add("a.tar", "k3", "r")
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["k1", "k2", "k3"]


def test_threads_that_find_the_same_samples_list_each_once(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "bad.jsonl", max_bad=50)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: quarantine.add("a.tar", f"k{number % 20}", "r"), range(200)))
    keys = [json.loads(line)["key"] for line in quarantine.path.read_text().splitlines()]
    assert sorted(keys) == sorted(f"k{number}" for number in range(20))
