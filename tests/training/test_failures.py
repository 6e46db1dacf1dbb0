"""What a run says when it cannot go on, and that what it had is kept."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from small_training import SmallTask, SmallTraining, images, settings_of
from torch import Tensor

from pipeline.batches.batch import ImageBatch
from pipeline.records.errors import UserError

BAD_STEP = 6
SELDOM = {"log_every": 100, "validate_every": 100}


class Spoilt(SmallTask):
    """Has no loss for one image of step 6."""

    def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
        loss = super().forward(batch)["loss"]
        return {"loss": loss * float("nan") if 34 in batch.indices else loss}


@pytest.mark.parametrize("watching", [{"log_every": 1}, {"log_every": 8}, SELDOM])
@pytest.mark.parametrize("checkpoint_seconds", [0.0, 1e9])
@pytest.mark.parametrize("device_batch", [0, 2])
def test_a_loss_that_is_no_number_is_told_by_its_step_and_its_images_and_the_last_good_state_is_kept(
    tmp_path: Path, watching: dict[str, int], checkpoint_seconds: float, device_batch: int
) -> None:
    run = SmallTraining(
        tmp_path, settings_of(watching), Spoilt, device_batch=device_batch, checkpoint_seconds=checkpoint_seconds
    )
    with pytest.raises(UserError) as failure:
        run.run()
    listing = run.states.folder / "not_a_number.json"
    kept, state = run.saved
    assert str(failure.value) == (
        f"the training loss is nan at step {BAD_STEP}, whose images are made/30, made/31, made/32 and others that "
        f"{listing} lists; the state of step {kept} is the last good one, and is kept; lower base_learning_rate, set "
        "clip_norm or leave float16, and run again"
    )
    assert json.loads(listing.read_text()) == {
        "step": BAD_STEP,
        "loss": "nan",
        "keys": [f"made/{key}" for key in range(30, 36)],
    }
    assert kept < BAD_STEP
    assert all(weight.isfinite().all() for weight in state["task"].values())
    assert all(event["step"] < BAD_STEP for event in run.events("save"))


def test_a_run_that_diverges_is_told_and_none_of_its_states_has_weights_that_are_no_numbers(tmp_path: Path) -> None:
    run = SmallTraining(tmp_path, settings_of(SELDOM, base_learning_rate=1e38, weight_decay=1.0))
    with pytest.raises(UserError, match=r"(loss is (nan|inf) at|no numbers after) step \d, whose images are made/"):
        run.run()
    for state in run.states.folder.glob("*.pt"):
        weights = torch.load(state, weights_only=True)["task"]
        assert all(weight.isfinite().all() for weight in weights.values())


def test_weights_that_a_last_step_spoilt_are_told_though_no_loss_shows_it(tmp_path: Path) -> None:
    class Steep(SmallTask):
        def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
            loss = super().forward(batch)["loss"]
            return {"loss": loss + (loss - loss.detach()).sqrt() if 45 in batch.indices else loss}

    run = SmallTraining(tmp_path, settings_of(SELDOM), task=Steep)
    with pytest.raises(UserError, match="weights are no numbers after step 8, whose images are made/42, made/43"):
        run.run()
    assert run.saved[0] < 8


def test_a_validation_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    run = SmallTraining(tmp_path, task=Spoilt, validation=lambda: [images(np.array([34]))])
    with pytest.raises(UserError, match=r"validation loss is nan at step 2; the state of step \d is the last good one"):
        run.run()


class Greedy(SmallTask):
    """Asks for a petabyte where it is to learn from more than three images at once, from its fourth step on."""

    def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
        if 18 <= batch.indices[0] < 1000 and len(batch) > 3:
            torch.empty(2**50, dtype=torch.uint8)
        return super().forward(batch)


def test_a_device_without_memory_says_what_to_lower_and_the_run_then_goes_on(tmp_path: Path) -> None:
    short = SmallTraining(tmp_path, task=Greedy)
    with pytest.raises(UserError, match=r"out of memory with 6 images at once; .* pretrain_encoder:device_batch=3"):
        short.run()
    SmallTraining(tmp_path, task=Greedy, device_batch=3).run()
    assert [event["device_batch"] for event in short.events("start")] == [6, 3]
    assert short.events("finish")[0]["step"] == 8


def test_a_device_that_has_no_memory_for_one_image_is_not_told_to_take_fewer(tmp_path: Path) -> None:
    class Huge(SmallTask):
        def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
            return {"loss": torch.empty(2**50, dtype=torch.uint8).sum()}

    with pytest.raises(UserError, match="too little memory for a single image; train a smaller model"):
        SmallTraining(tmp_path, task=Huge, device_batch=1).run()


def test_other_errors_of_torch_stay_what_they_are(tmp_path: Path) -> None:
    class Wrong(SmallTask):
        def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
            return {"loss": self.model(torch.zeros(1, 17)).mean()}

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        SmallTraining(tmp_path, task=Wrong).run()


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Let writes fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_no_state_shows_at_the_start_of_a_run(tmp_path: Path) -> None:
    steps: list[int] = []
    run = SmallTraining(tmp_path, settings_of(steps=1000), before=steps.append, checkpoint_seconds=1e9)
    with no_file_larger_than(2000), pytest.raises(UserError, match="state of step 0 cannot be written"):
        run.run()
    assert len(steps) < 1000
