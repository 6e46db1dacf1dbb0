"""The leaderboard holds every number of the records, exactly and in one order."""

import csv
import json
import random
from pathlib import Path

import pytest

from pipeline.records.errors import UserError
from pipeline.records.metrics import Digests, MetricRecord, MetricValue, write_metric_record
from pipeline.reporting.leaderboard import (
    LeaderboardRow,
    collect_rows,
    format_leaderboard,
    read_leaderboard,
    write_leaderboard,
)

DIGESTS = Digests(**{name: f"{place:064x}" for place, name in enumerate(Digests.model_fields)})
KINDS = {"untrained": "random", "shrunk": "pixels", "photographs": "foreign"}
HEADER = "benchmark,encoder,protocol,fraction,seed,metric,value,low,high,n,n_patients,quarantined,record,control"


def made_up_record(benchmark: str, encoder: str, auroc: float, kind: str = "metrics") -> MetricRecord:
    def value(metric: str, target: str, point: float, positives: int | None) -> MetricValue:
        return MetricValue(
            metric=metric,
            target=target,
            value=point,
            low=point - 0.1 / 3,
            high=point + 0.1 / 3,
            n=300,
            n_patients=120,
            positives=positives,
            undefined_resamples=0.0,
        )

    return MetricRecord(
        kind="comparison" if kind == "comparison" else "metrics",
        benchmark=benchmark,
        corpus="phantom",
        split="test",
        encoder=encoder,
        control="random" if kind == "comparison" else None,
        protocol="linear",
        control_protocol=None,
        fraction=1.0,
        seed=0,
        regularisation={"edema": 0.1},
        n_train=700,
        quarantined=0,
        excluded={},
        values=[
            value("auroc", "edema", auroc, 45),
            value("auroc", "macro", auroc, None),
            value("auprc", "edema", auroc / 2, 45),
            value("auprc", "macro", auroc / 2, None),
        ],
        settings={"probe": {"kind": "linear_probe", "penalties": [0.1, 1.0]}},
        digests=DIGESTS,
        versions={"torch": "2.11"},
        device="cpu",
        decoder="made",
    )


def write_records(root: Path, *records: MetricRecord) -> list[Path]:
    paths = []
    for record in records:
        name = record.protocol if record.control is None else f"{record.protocol}-{record.control}"
        paths.append(root / "evaluate" / record.benchmark / record.encoder / f"{name}.json")
        write_metric_record(paths[-1], record)
    return paths


def test_the_csv_has_exactly_the_promised_columns_and_every_number_in_full(tmp_path: Path) -> None:
    paths = write_records(tmp_path, made_up_record("findings", "mae", 0.1 + 0.2 + 0.4))
    write_leaderboard(tmp_path / "leaderboard.csv", collect_rows(paths, tmp_path, KINDS))
    lines = (tmp_path / "leaderboard.csv").read_text().splitlines()
    assert lines[0] == HEADER
    table = {line["metric"]: line for line in csv.DictReader(lines)}
    assert list(table) == ["auprc", "auprc:edema", "auroc", "auroc:edema"]
    assert float(table["auroc"]["value"]) == 0.1 + 0.2 + 0.4
    assert float(table["auroc:edema"]["low"]) == 0.1 + 0.2 + 0.4 - 0.1 / 3
    assert (table["auprc"]["n"], table["auprc"]["n_patients"]) == ("300", "120")
    assert {line["record"] for line in table.values()} == {"evaluate/findings/mae/linear.json"}


def test_the_order_of_the_records_does_not_matter(tmp_path: Path) -> None:
    names = [(benchmark, encoder) for benchmark in ("b", "a") for encoder in ("random", "mae", "distilled")]
    paths = write_records(tmp_path, *(made_up_record(*name, 0.7) for name in names))
    expected = collect_rows(paths, tmp_path, KINDS)
    assert [row[:6] for row in expected] == sorted(row[:6] for row in expected)
    for seed in range(5):
        assert collect_rows(random.Random(seed).sample(paths, len(paths)), tmp_path, KINDS) == expected  # noqa: S311


def test_comparisons_are_no_rows(tmp_path: Path) -> None:
    paths = write_records(tmp_path, made_up_record("findings", "mae", 0.1, kind="comparison"))
    assert collect_rows(paths, tmp_path, KINDS) == []


def test_a_broken_record_names_its_file_and_the_field(tmp_path: Path) -> None:
    (path,) = write_records(tmp_path, made_up_record("findings", "mae", 0.7))
    content = json.loads(path.read_text())
    content["values"][2]["n"] = 0
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"mae/linear\.json.*values\.2\.n"):
        collect_rows([path], tmp_path, KINDS)


def test_the_same_number_from_two_records_is_refused(tmp_path: Path) -> None:
    (path,) = write_records(tmp_path, made_up_record("findings", "mae", 0.7))
    copy = path.with_name("copy.json")
    copy.write_bytes(path.read_bytes())
    with pytest.raises(UserError, match=r"copy\.json and .*linear\.json both state auprc of mae"):
        collect_rows([path, copy], tmp_path, KINDS)


def test_a_record_outside_the_results_is_refused(tmp_path: Path) -> None:
    (path,) = write_records(tmp_path / "elsewhere", made_up_record("findings", "mae", 0.7))
    with pytest.raises(UserError, match="not inside"):
        collect_rows([path], tmp_path / "results", KINDS)


def test_the_terminal_table_marks_the_best_and_puts_controls_last(tmp_path: Path) -> None:
    records = [made_up_record("findings", name, value) for name, value in [("shrunk", 0.6), ("vit", 0.8)]]
    _, table = format_leaderboard(collect_rows(write_records(tmp_path, *records), tmp_path, KINDS)).split("\n\n")
    header, line = table.splitlines()
    assert header.split() == ["benchmark", "vit", "[shrunk]"]
    assert line.split() == ["findings", "*0.800", ".767-.833", "0.600", ".567-.633"]


def test_the_csv_alone_tells_controls_from_runs_whatever_their_names(tmp_path: Path) -> None:
    names = ["photographs", "random_crops_mae", "untrained", "zoomed"]
    records = [made_up_record("findings", name, 0.7) for name in names]
    rows = collect_rows(write_records(tmp_path, *records), tmp_path, KINDS)
    write_leaderboard(tmp_path / "leaderboard.csv", rows)
    read = read_leaderboard(tmp_path / "leaderboard.csv")
    assert read == rows
    assert {row.encoder: row.control for row in read if row.control} == {
        "photographs": "foreign",
        "untrained": "random",
    }
    header = format_leaderboard(read).split("\n\n")[1].splitlines()[0]
    assert header.split() == ["benchmark", "random_crops_mae", "zoomed", "[photographs]", "[untrained]"]


def test_a_control_under_two_protocols_is_still_one() -> None:
    scores = ("auroc", 0.7, 0.6, 0.8, 9, 9, 0, "r", "pixels")
    rows = [LeaderboardRow("findings", "shrunk", protocol, 1.0, 0, *scores) for protocol in ("linear", "mlp")]
    assert "[shrunk (linear)]" in format_leaderboard(rows)


def test_the_terminal_table_says_what_differs_and_shows_what_is_missing() -> None:
    rows = [
        LeaderboardRow("findings", "mae", "linear", 0.025, 0, "auroc", 0.7, 0.6, 0.8, 9, 9, 0, "a", ""),
        LeaderboardRow("findings", "mae", "linear", 1.0, 0, "auroc", 0.8, 0.7, 1.0, 9, 9, 0, "b", ""),
        LeaderboardRow("findings", "raw", "linear", 1.0, 0, "auroc", 0.8, 0.7, 1.0, 9, 9, 0, "c", ""),
    ]
    _, _, _, few, all_patients = format_leaderboard(rows).splitlines()
    assert few.split() == ["findings", "2.5%", "*0.700", ".600-.800", "-"]
    assert all_patients.split() == ["findings", "100%", *2 * ["*0.800", ".700-1.000"]]


@pytest.mark.parametrize("encoders", [1, 5, 9])
def test_the_terminal_table_stays_within_its_width_and_shows_every_encoder(encoders: int) -> None:
    rows = [
        LeaderboardRow("findings", f"encoder_{k}", "linear", 1.0, 0, "auroc", k / 10, 0.0, 1.0, 9, 9, 0, "r", "")
        for k in range(encoders)
    ]
    text = format_leaderboard(rows)
    assert max(map(len, text.splitlines())) <= 110
    assert all(f"encoder_{k}" in text and f"{k / 10:.3f} .000-1.000" in text for k in range(encoders))
    assert text.count("*0.") == 1


def test_no_records_give_a_header_and_a_sentence(tmp_path: Path) -> None:
    write_leaderboard(tmp_path / "leaderboard.csv", [])
    assert (tmp_path / "leaderboard.csv").read_text() == HEADER + "\n"
    assert format_leaderboard([]) == "No macro AUROC to show."
