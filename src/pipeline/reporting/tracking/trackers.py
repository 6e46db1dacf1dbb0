"""The trackers: each takes rows of numbers for a run; none is imported before it is asked for."""

import os
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from pipeline.records.errors import UserError
from pipeline.reporting.tracking.histories import Row


class Tracker(Protocol):
    """Show rows of numbers."""

    def send(self, run: str, rows: Iterable[Row]) -> None:
        """Add rows to a run, which begins with its first ones; they are safe with the tracker once it is closed."""
        ...

    def close(self) -> None:
        """End what is open."""
        ...


class TensorBoard:
    """Write event files: `tensorboard --logdir` shows them."""

    def __init__(self, folder: Path, project: str) -> None:
        """Write below `folder`/`project`, a folder for each run."""
        self._folder = folder / project
        self._open: dict[str, Any] = {}

    def send(self, run: str, rows: Iterable[Row]) -> None:
        """Append scalars and flush them."""
        if run not in self._open:
            self._open[run] = import_module("torch.utils.tensorboard").SummaryWriter(self._folder / run)
        for row in rows:
            for name, value in row.numbers.items():
                self._open[run].add_scalar(name, value, row.step)
        self._open[run].flush()

    def close(self) -> None:
        """Close the event files."""
        for writer in self._open.values():
            writer.close()


class Trackio:
    """Write to trackio's own folder, as it stands in `TRACKIO_DIR`: `trackio show --project NAME` shows it."""

    def __init__(self, folder: Path, project: str) -> None:
        """Write to a project; `folder` is not used."""
        self._project = project

    def send(self, run: str, rows: Iterable[Row]) -> None:
        """Resume the run, log, and finish it, since trackio has one run at a time."""
        opened = import_module("trackio").init(
            project=self._project, name=run, resume="allow", embed=False, auto_log_gpu=False, auto_log_cpu=False
        )
        for row in rows:
            opened.log(row.numbers, step=row.step)
        opened.finish()

    def close(self) -> None:
        """Do nothing: each run was finished."""


class Wandb:
    """Write wandb's offline folders, which `wandb sync` sends; online only where `WANDB_MODE` says so."""

    def __init__(self, folder: Path, project: str) -> None:
        """Write below `folder`, where wandb makes a folder of its own name."""
        self._folder = folder
        self._project = project
        self._open: dict[str, Any] = {}

    def send(self, run: str, rows: Iterable[Row]) -> None:
        """Log to the run, resumed by its name, which stays open."""
        if run not in self._open:
            self._open[run] = self._init(run)
        for row in rows:
            self._open[run].log(row.numbers, step=row.step)

    def close(self) -> None:
        """Finish the runs, which waits until all is written or sent."""
        for opened in self._open.values():
            opened.finish()

    def _init(self, run: str) -> Any:
        """Begin a run that holds nothing but what is logged: not host, user, code, console or load of the machine."""
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # else wandb sends home what it fails by
        wandb = import_module("wandb")
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = wandb.Settings(
            mode=os.environ.get("WANDB_MODE", "offline"),
            console="off",
            silent=True,
            host="",
            program="",
            save_code=False,
            disable_code=True,
            disable_git=True,
            disable_job_creation=True,
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )
        return wandb.init(
            project=self._project,
            name=run,
            id=run,
            dir=self._folder,
            resume="allow",
            reinit="create_new",
            settings=settings,
        )


TRACKERS: dict[str, Callable[[Path, str], Tracker]] = {"tensorboard": TensorBoard, "trackio": Trackio, "wandb": Wandb}


def open_tracker(name: str, folder: Path, project: str) -> Tracker:
    """Return a tracker that keeps its files, if it has any, in `folder`.

    Raises `UserError` where there is none of that name or its package is not installed.
    """
    if name not in TRACKERS:
        raise UserError(f"there is no tracker {name}; choose among {', '.join(TRACKERS)}")
    if find_spec(name) is None:
        raise UserError(f"{name} is not installed; run python -m pip install {name}, or choose another tracker")
    return TRACKERS[name](folder, project)
