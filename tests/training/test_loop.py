"""The loop: what is saved when, and that a stopped run continues as if it had not stopped."""

import logging
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn, cast

import numpy as np
import pytest
import torch
from small_training import BATCH_SIZE, STEPS, SmallTask, SmallTraining, images, nothing, same_bytes, settings_of
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.batches.batch import ImageBatch
from pipeline.batches.loader import TrainingLoader, fixed_batches
from pipeline.batches.samples import Samples, Selection
from pipeline.records.events import EventLog, read_events, read_history
from pipeline.reporting.curves import read_curves
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding
from pipeline.training.batching import plan_batch
from pipeline.training.deadline import Deadline
from pipeline.training.loop import Data, Surroundings, Trainer
from pipeline.training.state import StateFolder
from pipeline.training.stopping import NEVER, Interruptions, Reason, RunInterrupted

NEVER_BY_THE_CLOCK = 1e9
PHASES = [{"steps": 3, "trains": ["model.3."]}, {"steps": 5, "trains": ["model."]}]
EARLY = {"early_stopping": {"patience": 1, "least_improvement": 0.02}, "validate_every": 1}


def dropping() -> SmallTask:
    return SmallTask(dropout=0.5)


METHODS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dropout": {"task": dropping},
    "dropout in parts": {"task": dropping, "device_batch": 2},
    "average": {"settings": settings_of(average_decay=0.9)},
    "phases": {"settings": settings_of(phases=PHASES)},
    "phases and average": {"settings": settings_of(phases=PHASES, average_decay=0.9)},
    "early stopping": {"settings": settings_of(EARLY)},
    "early stopping of an average": {"settings": settings_of(EARLY, average_decay=0.9)},
    "clipped bfloat16": {"settings": settings_of(precision="bfloat16", clip_norm=0.1)},
}
methods = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


HELD_OUT = [images(np.arange(1000, 1005))]


class KilledError(Exception):
    """Stands for the moment a process is killed."""


def at(step: int, happens: Callable[[], None]) -> Callable[[int], None]:
    def before(coming: int) -> None:
        if coming == step:
            happens()

    return before


def killed() -> NoReturn:
    raise KilledError


def terminated() -> None:
    signal.raise_signal(signal.SIGTERM)


@methods
@pytest.mark.parametrize("stop", range(STEPS))
def test_a_run_killed_before_any_step_ends_with_the_same_bytes(
    tmp_path: Path, method: dict[str, Any], stop: int
) -> None:
    undisturbed = SmallTraining(tmp_path / "undisturbed", **method).run()
    try:
        SmallTraining(tmp_path / "killed", before=at(stop, killed), **method).run()
    except KilledError:
        assert same_bytes(SmallTraining(tmp_path / "killed", **method).run(), undisturbed)
    else:
        assert SmallTraining(tmp_path / "killed", **method).events("finish")[0]["step"] <= stop


@methods
@pytest.mark.parametrize("stop", range(STEPS - 1))
def test_a_run_told_to_stop_finishes_its_step_saves_it_and_continues_to_the_same_bytes(
    tmp_path: Path, method: dict[str, Any], stop: int
) -> None:
    undisturbed = SmallTraining(tmp_path / "undisturbed", **method)
    weights = undisturbed.run()
    if stop + 1 >= undisturbed.events("finish")[0]["step"]:
        return
    stopped = SmallTraining(tmp_path / "stopped", checkpoint_seconds=NEVER_BY_THE_CLOCK, **method)
    stopped.before = at(stop, terminated)
    with Interruptions() as stopped.interruptions, pytest.raises(RunInterrupted) as interrupted:
        stopped.run()
    assert (interrupted.value.step, interrupted.value.signalled) == (stop + 1, "SIGTERM")
    assert stopped.saved[0] == stop + 1
    assert stopped.events("stop") == [{"event": "stop", "step": stop + 1, "reason": "signal"}]
    assert same_bytes(SmallTraining(tmp_path / "stopped", **method).run(), weights)


class Watching(SmallTask):
    """Watches how bright images are, and keeps what it was told of that."""

    watched = ("brightness",)

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[float, int]] = []

    def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
        return super().forward(batch) | {"brightness": batch.images.pixels.float().mean()}

    def check(self, watched: Mapping[str, float], images: int) -> None:
        self.told.append((watched["brightness"], images))


@pytest.mark.parametrize("stop", range(STEPS))
def test_what_a_task_watches_is_logged_and_checked_as_means_over_images_also_by_a_later_life(
    tmp_path: Path, stop: int
) -> None:
    run = SmallTraining(tmp_path, task=Watching, device_batch=4, before=at(stop, killed))
    with pytest.raises(KilledError):
        run.run()
    run.before = nothing
    trainer = run.trainer()
    trainer.run()
    pixels = images(np.arange(STEPS * BATCH_SIZE)).images.pixels.double().mean((1, 2, 3)).numpy()
    expected = [pixels[first * BATCH_SIZE : last * BATCH_SIZE].mean() for first, last in ((0, 3), (3, 6), (6, 8))]
    logged = {event["step"]: event["brightness"] for event in read_history(tmp_path / "history.jsonl") if "lr" in event}
    np.testing.assert_allclose([logged[step] for step in (3, 6, 8)], expected)
    assert cast(Watching, trainer.task).told[-1] == (logged[8], 2 * BATCH_SIZE)


@pytest.mark.parametrize("stop", range(1, STEPS))
def test_the_curves_of_a_killed_run_are_those_of_an_undisturbed_one(tmp_path: Path, stop: int) -> None:
    SmallTraining(tmp_path / "undisturbed").run()
    with pytest.raises(KilledError):
        SmallTraining(tmp_path / "killed", before=at(stop, killed)).run()
    SmallTraining(tmp_path / "killed").run()
    undisturbed, resumed = (read_curves(tmp_path / name / "history.jsonl") for name in ("undisturbed", "killed"))
    assert list(undisturbed.losses) == [3, 6, 8]
    assert resumed.losses == undisturbed.losses
    assert resumed.validation_losses == undisturbed.validation_losses
    assert resumed.learning_rates == undisturbed.learning_rates


@methods
def test_a_run_killed_before_every_step_ends_with_the_same_bytes(tmp_path: Path, method: dict[str, Any]) -> None:
    undisturbed = SmallTraining(tmp_path / "undisturbed", **method)
    weights = undisturbed.run()
    for stop in range(int(str(undisturbed.events("finish")[0]["step"]))):
        with pytest.raises(KilledError):
            SmallTraining(tmp_path / "killed", before=at(stop, killed), **method).run()
    assert same_bytes(SmallTraining(tmp_path / "killed", **method).run(), weights)


@pytest.mark.parametrize("checkpoint_seconds", [0.0, NEVER_BY_THE_CLOCK])
@pytest.mark.parametrize("name", ["plain", "early stopping of an average"])
def test_a_run_killed_in_any_validation_takes_each_into_account_once(
    tmp_path: Path, name: str, checkpoint_seconds: float
) -> None:
    undisturbed = SmallTraining(tmp_path / "undisturbed", **METHODS[name])
    weights = undisturbed.run()
    for last in range(len(undisturbed.events("validation"))):
        folder, validations = tmp_path / f"killed {last}", iter(range(last + 1))

        def validation(left: Iterator[int] = validations, last: int = last) -> Sequence[ImageBatch]:
            return killed() if next(left) == last else HELD_OUT

        run = SmallTraining(folder, checkpoint_seconds=checkpoint_seconds, validation=validation, **METHODS[name])
        with pytest.raises(KilledError):
            run.run()
        assert same_bytes(SmallTraining(folder, **METHODS[name]).run(), weights)
        resumed, expected = (read_curves(path / "history.jsonl") for path in (folder, tmp_path / "undisturbed"))
        assert resumed.validation_losses == expected.validation_losses
        assert resumed.losses == expected.losses


@pytest.mark.parametrize("parts", [2, 3, 6])
def test_a_batch_taken_in_parts_gives_the_trajectory_of_the_whole(tmp_path: Path, parts: int) -> None:
    settings = settings_of(clip_norm=0.05, average_decay=0.9)
    whole = SmallTraining(tmp_path / "whole", settings)
    cut = SmallTraining(tmp_path / "cut", settings, device_batch=BATCH_SIZE // parts)
    one, other = whole.run(), cut.run()
    assert cut.events("start")[0]["accumulation"] == parts
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-6, atol=1e-6)
    for kind in ("step", "validation"):
        for event, same in zip(whole.events(kind), cut.events(kind), strict=True):
            assert same["loss"] == pytest.approx(event["loss"], rel=1e-6)


def test_parts_of_unequal_sizes_weigh_by_their_images(tmp_path: Path) -> None:
    settings = settings_of(batch_size=7)
    whole, cut = SmallTraining(tmp_path / "whole", settings), SmallTraining(tmp_path / "cut", settings, device_batch=3)
    one, other = whole.run(), cut.run()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-6, atol=1e-6)


def test_a_state_is_saved_before_the_first_step_and_after_the_last(tmp_path: Path) -> None:
    run = SmallTraining(tmp_path, checkpoint_seconds=NEVER_BY_THE_CLOCK)
    run.run()
    assert [event["step"] for event in run.events("save")] == [0, STEPS]
    assert run.saved[0] == STEPS


def test_a_damaged_state_is_named_and_the_one_before_it_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights = SmallTraining(tmp_path / "undisturbed").run()
    damaged = SmallTraining(tmp_path / "damaged", before=at(5, terminated), checkpoint_seconds=NEVER_BY_THE_CLOCK)
    with Interruptions() as damaged.interruptions, pytest.raises(RunInterrupted):
        damaged.run()
    newest = damaged.states.folder / "step-000000006.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    with caplog.at_level(logging.INFO, "pipeline"):
        assert same_bytes(SmallTraining(tmp_path / "damaged").run(), weights)
    assert newest.name in caplog.text
    assert [event["step"] for event in damaged.events("start")] == [0, 0]


def test_a_run_that_is_over_is_not_trained_again(tmp_path: Path) -> None:
    for name, settings in {"last step": settings_of(average_decay=0.9), "early": settings_of(EARLY)}.items():
        finished = SmallTraining(tmp_path / name, settings)
        weights = finished.run()
        assert same_bytes(SmallTraining(tmp_path / name, settings, before=lambda _: killed()).run(), weights)
        assert len(finished.events("validation")) == len({e["step"] for e in finished.events("validation")})


def test_a_run_stops_before_its_job_ends(tmp_path: Path) -> None:
    run = SmallTraining(tmp_path, interruptions=Interruptions(Deadline(monotonic() + 5)), before=lambda _: killed())
    with pytest.raises(RunInterrupted) as interrupted:
        run.run()
    assert (interrupted.value.step, interrupted.value.reason) == (0, Reason.DEADLINE)
    assert run.saved[0] == 0


def test_a_run_goes_on_while_there_is_time_for_a_step_and_a_state(tmp_path: Path) -> None:
    clock = [0.0]

    def before(_: int) -> None:
        clock[0] += 20

    deadline = Deadline(ends=100.0, clock=lambda: clock[0])
    run = SmallTraining(tmp_path, interruptions=Interruptions(deadline), before=before)
    with pytest.raises(RunInterrupted) as interrupted:
        run.run()
    assert (interrupted.value.step, interrupted.value.reason) == (4, Reason.DEADLINE)
    assert run.saved[0] == 4


def test_early_stopping_ends_the_run_and_leaves_the_weights_of_the_lowest_validation_loss(tmp_path: Path) -> None:
    settings = settings_of({"early_stopping": {"patience": 2}, "validate_every": 1}, steps=40, base_learning_rate=40)
    run = SmallTraining(tmp_path, settings)
    weights = run.run()
    losses = {event["step"]: event["loss"] for event in run.events("validation")}
    best = min(losses, key=losses.__getitem__)
    assert max(losses) == best + 2 < 40
    assert run.events("step")[-1]["step"] == best + 2
    assert run.events("finish") == [{"event": "finish", "step": best + 2, "published": best}]
    task = SmallTask().eval()
    task.load_state_dict(weights)
    assert task.validate(HELD_OUT[0])["loss"].item() == pytest.approx(losses[best])


def test_an_average_is_what_is_validated_and_left(tmp_path: Path) -> None:
    run = SmallTraining(tmp_path, settings_of(average_decay=0.9))
    task = SmallTask().eval()
    task.load_state_dict(run.run())
    loss = task.validate(HELD_OUT[0])["loss"].item()
    assert run.events("validation")[-1]["loss"] == pytest.approx(loss)
    assert not same_bytes(run.saved[1]["task"], task.state_dict())


def test_the_history_says_what_was_resolved(tmp_path: Path) -> None:
    run = SmallTraining(tmp_path, device_batch=4)
    run.run()
    assert run.events("start") == [
        {
            "event": "start",
            "step": 0,
            "batch_size": 6,
            "device_batch": 3,
            "accumulation": 2,
            "world": 1,
            "precision": "float32",
            "compiled": False,
            "threads": torch.get_num_threads(),
            "device": "cpu",
        }
    ]
    assert all({"loss", "lr", "images_per_second", "data_wait"} < event.keys() for event in run.events("step"))


class WaitsForTheDevice(TorchDispatchMode):
    """Count the values that are fetched from a device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("device_batch", [0, 2])
def test_no_step_waits_for_the_device(tmp_path: Path, device_batch: int) -> None:
    counts = []
    with WaitsForTheDevice() as waits:
        SmallTraining(
            tmp_path,
            settings_of({"log_every": 100, "validate_every": 100}, steps=30, clip_norm=1.0, average_decay=0.9),
            device_batch=device_batch,
            before=lambda _: counts.append(waits.count),
            checkpoint_seconds=NEVER_BY_THE_CLOCK,
        ).run()
    # The first step measures, and the last one is logged, validated and saved.
    assert [after - before for before, after in pairwise(counts[1:])] == [0] * 28
    assert waits.count > counts[-1]


def test_measuring_the_utilisation_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = SmallTraining(tmp_path / "measured", task=dropping)
    weights = measured.run()
    assert all(event["mfu"] > 0 for event in measured.events("step"))
    monkeypatch.setattr("pipeline.training.utilisation.Utilisation.count", lambda *_: None)
    unmeasured = SmallTraining(tmp_path / "unmeasured", task=dropping)
    assert same_bytes(unmeasured.run(), weights)
    assert all("mfu" not in event for event in unmeasured.events("step"))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for a CPU by a C++ compiler")
def test_a_compiled_run_ends_where_one_that_is_not_does(tmp_path: Path) -> None:
    plain = SmallTraining(tmp_path / "plain", settings_of(phases=PHASES)).run()
    compiled = SmallTraining(tmp_path / "compiled", settings_of(phases=PHASES, compiled=True)).run()
    for name in plain:
        torch.testing.assert_close(compiled[name], plain[name], rtol=1e-5, atol=1e-5)


def train_encoder(index: Path, run: PretrainingSettings, folder: Path, threads: int = 1) -> torch.Tensor:
    """Train a masked autoencoder below `folder` and return all weights as one vector."""
    task, batch_size = MaskedAutoencoding(run), run.optimization.batch_size
    training, validation = (Samples([index], Selection((split,))) for split in ("train", "val"))
    with training as samples, validation as held_out:
        loader = TrainingLoader(samples, batch_size, run.seed, threads)
        data = Data(loader.batches, lambda: fixed_batches(held_out, 4, np.arange(len(held_out)), threads), loader.keys)
        states, history = StateFolder(folder / "state", "fingerprint"), EventLog(folder / "history.jsonl")
        Trainer(task, data, run, Surroundings(states, history, NEVER, plan_batch(batch_size, 1, 0))).run()
    return torch.cat([parameter.detach().reshape(-1) for parameter in task.parameters()])


def test_training_lowers_the_validation_loss(made_index: Path, small_run: PretrainingSettings, tmp_path: Path) -> None:
    longer = small_run.model_copy(update={"optimization": small_run.optimization.model_copy(update={"steps": 40})})
    train_encoder(made_index, longer, tmp_path)
    losses = [event["loss"] for event in read_events(tmp_path / "history.jsonl") if event["event"] == "validation"]
    assert len(losses) == 10
    assert losses[-1] < 0.9 * losses[0]


def test_the_number_of_threads_that_read_changes_no_byte(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path
) -> None:
    one, none, three = (train_encoder(made_index, small_run, tmp_path / str(n), threads=n) for n in (1, 0, 3))
    assert torch.equal(one, none)
    assert torch.equal(one, three)
