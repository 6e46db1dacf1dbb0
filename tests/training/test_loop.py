"""The loop: what decays, what is saved, and that a stopped run continues as if it had not stopped."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.batches.batch import ImageBatch
from pipeline.batches.loader import TrainingLoader, fixed_batches
from pipeline.batches.planes import Planes
from pipeline.batches.samples import Samples, Selection
from pipeline.records.errors import UserError
from pipeline.records.events import EventLog, read_events
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding
from pipeline.training import meter
from pipeline.training.loop import Data, Trainer
from pipeline.training.optimizer import build_optimizer
from pipeline.training.state import StateFolder


class StoppedError(Exception):
    """Stands for the moment a run is stopped."""


def train(
    index: Path, run: PretrainingSettings, folder: Path, threads: int = 1, stop: int | None = None
) -> torch.Tensor:
    """Train below `folder`, stop before step `stop` where given, and return all weights as one vector."""
    task = MaskedAutoencoding(run)

    def stopping(first: int, last: int) -> Iterator[ImageBatch]:
        loader = TrainingLoader(samples, run.optimization.batch_size, run.seed, threads)
        for step, batch in enumerate(loader.batches(first, last), start=first):
            if step == stop:
                raise StoppedError
            yield batch

    training, validation = (Samples([index], Selection((split,))) for split in ("train", "val"))
    with training as samples, validation as held_out:
        data = Data(stopping, lambda: fixed_batches(held_out, 4, np.arange(len(held_out)), threads))
        states = StateFolder(folder / "state", "fingerprint")
        Trainer(task, data, run, states, EventLog(folder / "history.jsonl")).run()
    return torch.cat([parameter.detach().reshape(-1) for parameter in task.parameters()])


@pytest.mark.parametrize("stop", range(1, 8))
def test_a_run_stopped_at_any_step_ends_with_the_same_bytes(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path, stop: int
) -> None:
    undisturbed = train(made_index, small_run, tmp_path / "undisturbed")
    with pytest.raises(StoppedError):
        train(made_index, small_run, tmp_path / "stopped", stop=stop)
    assert torch.equal(train(made_index, small_run, tmp_path / "stopped", threads=3), undisturbed)


def test_training_lowers_the_validation_loss(made_index: Path, small_run: PretrainingSettings, tmp_path: Path) -> None:
    longer = small_run.model_copy(update={"optimization": small_run.optimization.model_copy(update={"steps": 40})})
    train(made_index, longer, tmp_path)
    losses = [event["loss"] for event in read_events(tmp_path / "history.jsonl") if event["event"] == "validation"]
    assert len(losses) == 10
    assert losses[-1] < 0.9 * losses[0]


def test_a_damaged_state_is_named_and_the_older_one_is_used(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    undisturbed = train(made_index, small_run, tmp_path / "undisturbed")
    with pytest.raises(StoppedError):
        train(made_index, small_run, tmp_path / "damaged", stop=6)
    newest = tmp_path / "damaged" / "state" / "fingerprint" / "step-000000006.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    with caplog.at_level(logging.INFO, "pipeline"):
        assert torch.equal(train(made_index, small_run, tmp_path / "damaged"), undisturbed)
    assert "step-000000006.pt is damaged" in caplog.text
    assert "resuming after step 4" in caplog.text


def test_the_two_newest_states_are_kept(made_index: Path, small_run: PretrainingSettings, tmp_path: Path) -> None:
    train(made_index, small_run, tmp_path)
    states = sorted(path.name for path in (tmp_path / "state" / "fingerprint").glob("*.pt"))
    assert states == ["step-000000006.pt", "step-000000008.pt"]


@pytest.mark.parametrize("validate_every", [1, 100])
def test_a_run_that_diverges_stops_with_a_sentence_and_keeps_whole_weights(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path, validate_every: int
) -> None:
    rate = small_run.optimization.model_copy(update={"base_learning_rate": 1e30, "warmup_steps": 2})
    cadence = {"checkpoint_every": 1, "log_every": 1, "validate_every": validate_every}
    with pytest.raises(UserError, match=r"the (training|validation) loss is (nan|inf) at step \d; lower base_learning"):
        train(made_index, small_run.model_copy(update={"optimization": rate, **cadence}), tmp_path)
    kept = list((tmp_path / "state" / "fingerprint").glob("*.pt"))
    assert kept
    for state in kept:
        weights = torch.load(state, weights_only=True)["task"]
        assert all(torch.isfinite(tensor).all() for tensor in weights.values())


def test_a_kill_while_old_states_are_removed_does_not_keep_later_ones_from_being_saved(tmp_path: Path) -> None:
    states = StateFolder(tmp_path, "fingerprint")
    for step in (1, 2):
        states.save(step, {"step": step})
    (tmp_path / "fingerprint" / "step-000000001.json").unlink()
    for step in (3, 4):
        StateFolder(tmp_path, "fingerprint").save(step, {"step": step})
    assert states.newest() == (4, {"step": 4})


def test_the_history_says_how_long_the_loop_waited_for_data(
    small_run: PretrainingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = {"now": 0.0}
    monkeypatch.setattr(meter, "monotonic", lambda: clock["now"])

    class Timed(MaskedAutoencoding):
        def forward(self, batch: ImageBatch) -> dict[str, torch.Tensor]:
            clock["now"] += 3.0
            return super().forward(batch)

    def late(seconds: float, batches: int) -> Iterator[ImageBatch]:
        for _ in range(batches):
            clock["now"] += seconds
            pixels = torch.randint(0, 256, (6, 1, 32, 32), generator=torch.manual_seed(0)).to(torch.uint8)
            yield ImageBatch(Planes.of(pixels), np.zeros(6, np.int64), np.arange(6))

    data = Data(lambda first, last: late(1.0, last - first), lambda: late(5.0, 2))
    states, history = StateFolder(tmp_path / "state", "fingerprint"), tmp_path / "history.jsonl"
    Trainer(Timed(small_run), data, small_run, states, EventLog(history)).run()
    measured = {
        (event["event"], event["images_per_second"], event["data_wait"])
        for event in read_events(history)
        if event["event"] in ("step", "validation")
    }
    # Four seconds a step, of which one is waited; validation does nothing but wait, and its time is not training's.
    assert measured == {("step", 6 / 4, 1 / 4), ("validation", 12 / 10, 1.0)}


def test_a_folder_of_damaged_states_has_none_to_continue_from(tmp_path: Path) -> None:
    states = StateFolder(tmp_path, "fingerprint")
    assert not states.has_any()
    states.save(1, {"step": 1})
    assert states.has_any()
    (tmp_path / "fingerprint" / "step-000000001.pt").write_bytes(b"cut")
    assert not states.has_any()
    assert states.newest() is None


def test_biases_and_norms_do_not_decay_and_positions_are_not_trained(small_run: PretrainingSettings) -> None:
    task = MaskedAutoencoding(small_run)
    names = {parameter: name for name, parameter in task.named_parameters()}
    decaying, others = build_optimizer(task, small_run.optimization).param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.05, 0.0)
    decayed = {names[parameter] for parameter in decaying["params"]}
    spared = {names[parameter] for parameter in others["params"]}
    assert all(name.endswith(".bias") or "norm" in name for name in spared)
    assert {"model.encoder.cls_token", "model.decoder.mask_token"} <= decayed
    assert set(names.values()) - decayed - spared == {"model.encoder.pos_embed", "model.decoder.positions"}
