"""The report: one self-contained HTML page on which every number leads back to its record."""

import base64
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.records.audits import KINDS, read_audit
from pipeline.records.metrics import MetricRecord, MetricValue
from pipeline.records.publish import publish_text
from pipeline.reporting.leaderboard import (
    LeaderboardRow,
    best_encoders,
    competitor_kinds,
    encoder_order,
    leaderboard_rows,
    macro_auroc,
    read_records,
)

TEMPLATE = Path(__file__).with_name("page.html")
_MEDIA_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
_MINUS = "\N{MINUS SIGN}"


class Figure(NamedTuple):
    """Name a figure file, SVG or PNG, and say what it shows."""

    path: Path
    title: str
    caption: str


class Axis(NamedTuple):
    """Map values to positions on the small interval bars of one table."""

    start: float
    end: float
    reference: float
    """The value at which a thin line stands: chance, or no difference."""

    def percent(self, value: float) -> str:
        """Return the position of `value`, from 0 % at `start` to 100 % at `end`."""
        return f"{100 * (value - self.start) / (self.end - self.start):.2f}%"


def render_page(
    path: Path,
    records: Sequence[Path],
    figures: Sequence[Figure],
    results_root: Path,
    title: str,
    controls: Mapping[str, str],
    notice: str | None = None,
    audit: Path | None = None,
    unaudited: Sequence[str] = (),
) -> None:
    """Publish the report at `path`; equal records and figures give equal bytes.

    `controls` says of each encoder that is a control of what kind it is; `notice` is a sentence set apart above
    everything, such as that the data are synthetic; `audit` is the leakage audit, of which counts are shown but
    no image is named, and `unaudited` names the encoders whose training images it cannot know. Raises
    `UserError` where a record is broken, outside `results_root`, or repeats a number of another one.
    """
    by_path = read_records(records, results_root)
    rows = leaderboard_rows(by_path, controls)
    table = macro_auroc(rows)
    measured = {name: record for name, record in by_path.items() if record.kind == "metrics"}
    compared = {name: record for name, record in by_path.items() if record.kind == "comparison"}
    page = (
        _environment()
        .get_template(TEMPLATE.name)
        .render(
            title=title,
            notice=notice,
            records=by_path,
            measured=_by_benchmark(measured, controls),
            compared=_by_benchmark(compared, controls),
            table=table,
            competitors=competitor_kinds(table),
            controls=controls,
            encoder_count=len({record.encoder for record in by_path.values()}),
            controls_by_kind=_by_kind({record.encoder for record in by_path.values()}, controls),
            macro_axis=auroc_axis(row.low for row in rows if row.metric == "auroc"),
            class_axis=auroc_axis(row.low for row in rows if row.metric.startswith("auroc")),
            set_aside=_set_aside(rows),
            figures=figures,
            audit=read_audit(audit) if audit else None,
            unaudited=unaudited,
            overlap_kinds=KINDS,
        )
    )
    publish_text(path, page)


def verdict(low: float, high: float) -> Literal["better", "worse", "no difference shown"]:
    """Say what an interval of a difference shows: a direction only where it excludes 0."""
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference shown"


def by_target(values: Sequence[MetricValue]) -> dict[str, dict[str, MetricValue]]:
    """Group values by class and metric, in the record's order, the mean over classes last."""
    groups: dict[str, dict[str, MetricValue]] = {}
    for value in sorted(values, key=lambda value: value.target == "macro"):
        groups.setdefault(value.target, {})[value.metric] = value
    return groups


def auroc_axis(lows: Iterable[float]) -> Axis:
    """Return an axis up to 1 that begins at chance, or at the tenth below the lowest interval."""
    return Axis(start=min([0.5, *(math.floor(10 * low) / 10 for low in lows)]), end=1.0, reference=0.5)


def difference_axis(comparisons: Iterable[MetricRecord]) -> Axis:
    """Return an axis with 0 in its middle that holds every interval."""
    values = [value for record in comparisons for value in record.values]
    furthest = max((abs(end) for value in values for end in (value.low, value.high)), default=0.0)
    reach = max(0.01, math.ceil(100 * furthest) / 100)
    return Axis(start=-reach, end=reach, reference=0.0)


def _set_aside(rows: Iterable[LeaderboardRow]) -> list[LeaderboardRow]:
    """Return one row of each encoder that was trained without some damaged samples."""
    return [row for row in {row.encoder: row for row in rows}.values() if row.quarantined]


def _by_kind(encoders: Collection[str], controls: Mapping[str, str]) -> dict[str, list[str]]:
    """Group by their kind, in the order of names, those encoders that are controls."""
    kinds: dict[str, list[str]] = {}
    for encoder in sorted(controls.keys() & encoders):
        kinds.setdefault(controls[encoder], []).append(encoder)
    return kinds


def _by_benchmark(
    records: Mapping[str, MetricRecord], controls: Mapping[str, str]
) -> dict[str, dict[str, MetricRecord]]:
    """Group records by benchmark; in each, encoders by name with the controls last."""
    order = encoder_order((record.encoder for record in records.values()), controls)
    groups: dict[str, dict[str, MetricRecord]] = {
        benchmark: {} for benchmark in sorted({record.benchmark for record in records.values()})
    }
    for path, record in sorted(records.items(), key=lambda item: (order.index(item[1].encoder), item[0])):
        groups[record.benchmark][path] = record
    return groups


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=_number, signed=_signed, percent=_percent, measure=_measure, embed=_embed)
    environment.globals.update(
        verdict=verdict,
        by_target=by_target,
        difference_axis=difference_axis,
        best_encoders=best_encoders,
    )
    return environment


def _number(value: float) -> Markup:
    """Show three decimals, and keep all of them for whoever copies the number out of the page."""
    return Markup('<data value="{}">{}</data>').format(repr(value), f"{value:.3f}".replace("-", _MINUS))


def _signed(value: float) -> Markup:
    """Show a difference with its sign."""
    return Markup('<data value="{}">{}</data>').format(repr(value), f"{value:+.3f}".replace("-", _MINUS))


def _percent(share: float) -> str:
    return f"{100 * share:.3g}\N{NO-BREAK SPACE}%"


def _measure(metric: str) -> str:
    return metric.upper() if metric in ("auroc", "auprc") else metric.replace("_", " ")


def _embed(figure: Path) -> str:
    """Return the figure as a data URI, so that the page needs no other file."""
    encoded = base64.b64encode(figure.read_bytes()).decode("ascii")
    return f"data:{_MEDIA_TYPES[figure.suffix]};base64,{encoded}"
