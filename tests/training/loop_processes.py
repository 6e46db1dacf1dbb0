"""What one of two processes does for `test_loop_of_processes`: a program that leaves what came of it in a file."""

import gc
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from small_training import SmallTask, SmallTraining, images, settings_of
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from pipeline.batches.batch import ImageBatch
from pipeline.records.errors import UserError
from pipeline.settings.training import TrainingSettings
from pipeline.training.group import Group, joined
from pipeline.training.stopping import Interruptions, RunInterrupted

PHASES = [{"steps": 3, "trains": ["model.3."]}, {"steps": 5, "trains": ["model."]}]


def settings() -> TrainingSettings:
    return settings_of(clip_norm=0.05, average_decay=0.9, phases=PHASES)


class SpoiltInTheSecondHalf(SmallTask):
    """Has no loss for one image of step 6, which is among those of the second process."""

    def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
        loss = super().forward(batch)["loss"]
        return {"loss": loss * float("nan") if 34 in batch.indices else loss}


class CountsItsImages(SmallTask):
    """Counts in a buffer, which is no number from step 6 on in a process for which `spoils` is set."""

    seen: Tensor
    spoils = False

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
        self.seen += float("nan") if self.spoils and 30 <= batch.indices[0] < 1000 else len(batch)
        return super().forward(batch)


class SpoilsItsBuffer(CountsItsImages):
    spoils = True


def training(folder: Path, group: Group) -> SmallTraining:
    """Return a run of which each process validates on images of its own, the second on none."""
    held_out = [images(np.arange(1000, 1005))] if group.is_first else []
    return SmallTraining(folder, settings(), device_batch=2, group=group, validation=lambda: held_out)


def interrupted(folder: Path, group: Group) -> tuple[int, str | None]:
    """Train until the second process is told to stop, and return after which step, and what signal came here."""

    def before(step: int) -> None:
        if step == 4 and not group.is_first:
            signal.raise_signal(signal.SIGTERM)

    run = training(folder, group)
    run.before = before
    with Interruptions() as run.interruptions:
        try:
            run.run()
        except RunInterrupted as stopped:
            return stopped.step, stopped.signalled
    raise AssertionError("nothing stopped the run")


def failure(run: SmallTraining) -> str:
    try:
        run.run()
    except UserError as error:
        return str(error)
    raise AssertionError("nothing was wrong with the run")


def wrappings(folder: Path, group: Group) -> list[int]:
    """Return how many wrapped tasks are in memory before each step of a run of two phases."""
    counts: list[int] = []

    def before(_: int) -> None:
        counts.append(sum(isinstance(thing, DistributedDataParallel) for thing in gc.get_objects()))

    run = training(folder, group)
    run.before = before
    gc.disable()  # else garbage is collected by chance
    run.run()
    gc.enable()
    return counts


def came_of_it(folder: Path, group: Group) -> dict[str, Any]:
    spoilt = training(folder / "spoilt", group)
    spoilt.task = SpoiltInTheSecondHalf
    spoilt_buffer = training(folder / "spoilt buffer", group)
    spoilt_buffer.task = CountsItsImages if group.is_first else SpoilsItsBuffer
    return {
        "wrappings": wrappings(folder / "wrappings", group),
        "undisturbed": training(folder / "undisturbed", group).run(),
        "interrupted": interrupted(folder / "interrupted", group),
        "resumed": training(folder / "interrupted", group).run(),
        "spoilt": failure(spoilt),
        "spoilt buffer": failure(spoilt_buffer),
        "apart": failure(training(folder / ("undisturbed" if group.is_first else "another"), group)),
    }


if __name__ == "__main__":
    with joined() as joint:
        torch.save(came_of_it(Path(sys.argv[1]), joint), Path(sys.argv[1]) / f"{joint.rank}.pt")
