"""Show runs in a tracker: `python -m pipeline.stages.track_runs tensorboard results`, again whenever there is news.

Trackers are `tensorboard`, `trackio` and `wandb`. After the results folder, a project may be named. With `follow` as
the first word, the command goes on until every run is published. It reads histories and nothing else, so a run
neither knows of it nor waits for it; numbers and the names of runs are all that it hands on.
"""

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from time import sleep

from pipeline.records.errors import UserError
from pipeline.reporting.tracking.forwarding import forward
from pipeline.reporting.tracking.histories import find_histories
from pipeline.reporting.tracking.trackers import Tracker, open_tracker

PROJECT = "cxr-pipeline"
"""Project that runs are shown under where none is named; two results folders should have two."""

FOLLOW_SECONDS = 15.0
"""Time between two looks at the histories that are followed."""

USAGE = "track_runs [follow] tensorboard|trackio|wandb RESULTS_FOLDER [PROJECT]"


def track_runs(tracker: str, results: Path, project: str = PROJECT, pause: Callable[[], object] | None = None) -> None:
    """Send what a tracker lacks of the runs of a results folder, and print what that was.

    The tracker's files, and the note of what it has, stand in `results`/tracking. With `pause`, it is called and
    the runs are looked at again until all are published.

    Raises:
        UserError: There is no such tracker, project name or history.
    """
    if not re.fullmatch(r"\w[\w.-]*", project):
        raise UserError(f"{project} is no name of a project; use letters, digits, dots, dashes and underscores")
    if not find_histories(results):
        raise UserError(f"{results / 'runs'} holds no history; name the results folder, once a run has begun to train")
    folder = results / "tracking" / tracker
    with closing(open_tracker(tracker, folder, project)) as opened:
        while _forward(results, opened, folder / f"{project}.json") and pause is not None:
            pause()


def _forward(results: Path, tracker: Tracker, memory: Path) -> bool:
    """Forward once, print what was new, and return whether more is to come."""
    live = False
    for forwarded in forward(results, tracker, memory):
        live |= forwarded.live
        if forwarded.rows:
            print(f"{forwarded.name}: {forwarded.rows:,} new events{', more to come' if forwarded.live else ''}")
    return live


def _main(words: Sequence[str]) -> None:
    follows = words[:1] == ["follow"]
    match words[1:] if follows else words:
        case [tracker, results]:
            project = PROJECT
        case [tracker, results, project]:
            pass
        case _:
            sys.exit(f"error: use it as {USAGE}")
    with suppress(KeyboardInterrupt):
        try:
            track_runs(tracker, Path(results), project, partial(sleep, FOLLOW_SECONDS) if follows else None)
        except UserError as error:
            sys.exit(f"error: {error}")


if __name__ == "__main__":
    _main(sys.argv[1:])
