"""The leaderboard: one row per number, as a CSV file and as a small table for the terminal."""

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from pipeline.records.errors import UserError
from pipeline.records.metrics import MetricRecord, MetricValue, read_metric_record
from pipeline.records.publish import publish_text

TERMINAL_WIDTH = 110


class LeaderboardRow(NamedTuple):
    """Hold one number of the leaderboard; the fields are the columns of the CSV file."""

    benchmark: str
    encoder: str
    protocol: str
    fraction: float
    """Fraction of the training patients the protocol saw."""
    seed: int
    metric: str
    """`auroc` or `auprc` for the mean over classes, `auroc:<class>` or `auprc:<class>` for one class."""
    value: float
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""
    n: int
    """Images scored."""
    n_patients: int
    quarantined: int
    """Damaged samples that were set aside while the encoder was trained."""
    record: str
    """Path of the metric record, relative to the results root."""
    control: str
    """What kind of control the encoder is: `random`, `pixels` or `foreign`; empty where it was trained here."""


class Trial(NamedTuple):
    """Name what encoders compete in, each under its own protocol."""

    benchmark: str
    fraction: float
    seed: int


def read_records(record_paths: Sequence[Path], results_root: Path) -> dict[str, MetricRecord]:
    """Read records, keyed and ordered by their path relative to the results root.

    Raises `UserError` where a record is broken, or lies outside the results root.
    """
    return {_relative(path, results_root): read_metric_record(path) for path in sorted(record_paths)}


def collect_rows(record_paths: Sequence[Path], results_root: Path, controls: Mapping[str, str]) -> list[LeaderboardRow]:
    """Return every number of the records of kind `metrics`, ordered by the first six columns.

    `controls` says of each encoder that is a control of what kind it is. Raises `UserError` where a record is
    broken, or two records state the same number.
    """
    return leaderboard_rows(read_records(record_paths, results_root), controls)


def leaderboard_rows(records: Mapping[str, MetricRecord], controls: Mapping[str, str]) -> list[LeaderboardRow]:
    """Return what `collect_rows` does for records already read, keyed by relative path."""
    rows = sorted(
        _row(path, record, value, controls.get(record.encoder, ""))
        for path, record in records.items()
        if record.kind == "metrics"
        for value in record.values
    )
    for row, following in pairwise(rows):
        if row[:6] == following[:6]:
            raise UserError(
                f"{row.record} and {following.record} both state {row.metric} of {row.encoder} on "
                f"{row.benchmark} ({row.protocol}); remove the one that is out of date."
            )
    return rows


def write_leaderboard(path: Path, rows: Sequence[LeaderboardRow]) -> None:
    """Publish the rows as CSV in the order given, with numbers in full precision."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(LeaderboardRow._fields)
    writer.writerows(rows)
    publish_text(path, table.getvalue())


def read_leaderboard(path: Path) -> list[LeaderboardRow]:
    """Read the rows that `write_leaderboard` wrote."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [_parsed(row) for row in csv.DictReader(stream)]


def macro_auroc(rows: Iterable[LeaderboardRow]) -> dict[Trial, dict[str, LeaderboardRow]]:
    """Return the macro AUROC rows by trial and competitor; trials are in the order of their names.

    A competitor is an encoder, or an encoder with its protocol where it is scored under several.
    """
    macro = [row for row in rows if row.metric == "auroc"]
    protocols: dict[str, set[str]] = {}
    for row in macro:
        protocols.setdefault(row.encoder, set()).add(row.protocol)
    table: dict[Trial, dict[str, LeaderboardRow]] = {}
    for row in macro:
        competitor = row.encoder if len(protocols[row.encoder]) == 1 else f"{row.encoder} ({row.protocol})"
        table.setdefault(Trial(row.benchmark, row.fraction, row.seed), {})[competitor] = row
    return dict(sorted(table.items()))


def competitor_kinds(table: Mapping[Trial, Mapping[str, LeaderboardRow]]) -> dict[str, str]:
    """Return the competitors of a table of trials in order, each with what kind of control it is, or nothing."""
    kinds = {competitor: row.control for cells in table.values() for competitor, row in cells.items()}
    controls = [competitor for competitor, kind in kinds.items() if kind]
    return {competitor: kinds[competitor] for competitor in encoder_order(kinds, controls)}


def encoder_order(encoders: Iterable[str], controls: Collection[str]) -> list[str]:
    """Return the encoders once each, by name, the controls last."""
    return sorted(set(encoders), key=lambda encoder: (encoder in controls, encoder))


def best_encoders(cells: Mapping[str, LeaderboardRow]) -> set[str]:
    """Return the encoders with the highest value of one trial: more than one only where they tie."""
    highest = max(row.value for row in cells.values())
    return {encoder for encoder, row in cells.items() if row.value == highest}


def format_leaderboard(rows: Sequence[LeaderboardRow]) -> str:
    """Return macro AUROC with its interval as plain text: a line per trial, a column per encoder.

    `*` marks the highest value of a line, and brackets the controls, which come last. Encoders that do not
    fit in 110 columns follow in a further block below.
    """
    table = macro_auroc(rows)
    if not table:
        return "No macro AUROC to show."
    title = "Macro AUROC and its 95 % interval over held-out patients (* highest of the line, [control])"
    lines = [["benchmark", *(_label(trial, table) for trial in table)]]
    for encoder, control in competitor_kinds(table).items():
        lines.append(
            [f" [{encoder}]" if control else f" {encoder}", *(_cell(cells, encoder) for cells in table.values())]
        )
    return "\n\n".join([title, *_blocks(lines)])


def _relative(path: Path, results_root: Path) -> str:
    try:
        return path.absolute().relative_to(results_root.absolute()).as_posix()
    except ValueError as error:
        raise UserError(f"{path} is not inside {results_root}; give only records of these results.") from error


def _row(path: str, record: MetricRecord, value: MetricValue, control: str) -> LeaderboardRow:
    metric = value.metric if value.target == "macro" else f"{value.metric}:{value.target}"
    origin = (record.benchmark, record.encoder, record.protocol, record.fraction, record.seed)
    counts = (value.n, value.n_patients, record.quarantined)
    return LeaderboardRow(*origin, metric, value.value, value.low, value.high, *counts, path, control)


def _parsed(row: Mapping[str, str]) -> LeaderboardRow:
    types = LeaderboardRow.__annotations__
    return LeaderboardRow(**{column: types[column](text) for column, text in row.items()})


def _label(trial: Trial, trials: Iterable[Trial]) -> str:
    """Name a trial by its benchmark, and by no more of the rest than tells it from the others."""
    names = (trial.benchmark, f"{100 * trial.fraction:.3g}%", f"seed {trial.seed}")
    rivals = [rival for rival in trials if rival.benchmark == trial.benchmark]
    label = names[0]
    for column in range(1, len(names)):
        if len({rival[column] for rival in rivals}) > 1:
            label += f" {names[column]}"
            rivals = [rival for rival in rivals if rival[column] == trial[column]]
    return label


def _cell(cells: Mapping[str, LeaderboardRow], encoder: str) -> str:
    if encoder not in cells:
        return " -"
    row = cells[encoder]
    mark = "*" if encoder in best_encoders(cells) else " "
    return f"{mark}{row.value:.3f} {_short(row.low)}-{_short(row.high)}"


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _blocks(columns: Sequence[Sequence[str]]) -> list[str]:
    """Set columns side by side, in as few blocks as the width allows, the first column in every block."""
    padded = [[text.ljust(max(map(len, column))) for text in column] for column in columns]
    blocks = [[padded[0]]]
    for column in padded[1:]:
        width = sum(len(shown[0]) + 1 for shown in blocks[-1]) + len(column[0])
        if width > TERMINAL_WIDTH and len(blocks[-1]) > 1:
            blocks.append([padded[0]])
        blocks[-1].append(column)
    return ["\n".join(" ".join(line).rstrip() for line in zip(*block, strict=True)) for block in blocks]
