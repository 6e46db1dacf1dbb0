"""What a run says when it cannot go on, and that what it had is kept."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from disk_limits import files_of_at_most
from small_training import SmallTask, SmallTraining, images, settings_of
from torch import Tensor

from pipeline.batches.batch import ImageBatch
from pipeline.records.errors import UserError
from pipeline.records.redaction import redact
from pipeline.training.out_of_memory import explaining_memory, fewer_at_once

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
        f"the training loss is nan at step {BAD_STEP}, whose images are 'made/30', 'made/31', 'made/32' and others; "
        f"{listing} lists them, and those of the step before, whose gradient may be at fault; lower "
        "base_learning_rate, set clip_norm or leave float16, and the run begins anew; the state of step "
        f"{kept}, the last good one, is kept for another try by the same settings"
    )
    assert json.loads(listing.read_text()) == {
        "step": BAD_STEP,
        "loss": "nan",
        "images": [
            {"step": 5, "keys": [f"made/{key}" for key in range(24, 30)]},
            {"step": 6, "keys": [f"made/{key}" for key in range(30, 36)]},
        ],
    }
    assert kept < BAD_STEP
    assert all(weight.isfinite().all() for weight in state["task"].values())
    assert all(event["step"] < BAD_STEP for event in run.events("save"))


def test_a_run_that_diverges_is_told_and_none_of_its_states_has_weights_that_are_no_numbers(tmp_path: Path) -> None:
    run = SmallTraining(tmp_path, settings_of(SELDOM, base_learning_rate=1e38, weight_decay=1.0))
    with pytest.raises(UserError, match=r"(loss is (nan|inf) at|no numbers after) step \d, whose images are 'made/"):
        run.run()
    for state in run.states.folder.glob("*.pt"):
        weights = torch.load(state, weights_only=True)["task"]
        assert all(weight.isfinite().all() for weight in weights.values())


def steep(image: int) -> type[SmallTask]:
    """Return a task whose loss is finite and whose gradient is not for one image."""

    class Steep(SmallTask):
        def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
            loss = super().forward(batch)["loss"]
            return {"loss": loss + (loss - loss.detach()).sqrt() if image in batch.indices else loss}

    return Steep


def test_weights_that_a_last_step_spoilt_are_told_though_no_loss_shows_it(tmp_path: Path) -> None:
    run = SmallTraining(tmp_path, settings_of(SELDOM), task=steep(45))
    with pytest.raises(UserError, match="weights are no numbers after step 8, whose images are 'made/42', 'made/43'"):
        run.run()
    assert run.saved[0] < 8


def test_images_whose_gradient_spoils_the_loss_of_the_next_step_are_listed(tmp_path: Path) -> None:
    run = SmallTraining(tmp_path, settings_of({"log_every": 4} | SELDOM), steep(34), checkpoint_seconds=1e9)
    with pytest.raises(UserError, match=r"loss is nan at step 7, .*those of the step before, whose gradient may be"):
        run.run()
    listed = json.loads((run.states.folder / "not_a_number.json").read_text())["images"]
    assert [images["step"] for images in listed] == [6, 7]
    assert "made/34" in listed[0]["keys"]


@pytest.mark.parametrize(
    "key", ["reflacx/P102R108387", "padchest/1234_00-009-101", "mimic/p10000032_s50414267_02aa804e"]
)
def test_a_confidential_log_masks_the_keys_whole(tmp_path: Path, key: str) -> None:
    class KeysOfPatients(SmallTraining):
        def _keys(self, step: int) -> list[str]:
            return [key for _ in super()._keys(step)]

    with pytest.raises(UserError) as failure:
        KeysOfPatients(tmp_path, task=Spoilt).run()
    assert f"'{key}'" in str(failure.value)
    said = redact(str(failure.value)).replace(redact(str(tmp_path)), "")
    assert "whose images are '[…]', '[…]', '[…]' and others" in said
    assert not [part for part in re.split("[/_-]", key) if part in said]


def test_a_validation_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    run = SmallTraining(tmp_path, task=Spoilt, validation=lambda: [images(np.array([34]))])
    with pytest.raises(UserError, match=r"validation loss is nan at step 2; .* state of step \d, the last good one"):
        run.run()


class Greedy(SmallTask):
    """Asks for a petabyte where it is to learn from more than three images at once, from its fourth step on."""

    def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
        if 18 <= batch.indices[0] < 1000 and len(batch) > 3:
            torch.empty(2**50, dtype=torch.uint8)
        return super().forward(batch)


def test_a_device_without_memory_says_what_to_lower_and_the_run_then_goes_on(tmp_path: Path) -> None:
    short = SmallTraining(tmp_path, task=Greedy)
    with pytest.raises(UserError, match=r"memory ran out with 6 images at once; lower device_batch .* to 3"):
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


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported elsewhere"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError("Unable to allocate 1.00 EiB"),
    ],
)
def test_every_way_in_which_memory_ends_is_explained(error: Exception) -> None:
    with pytest.raises(UserError, match="lower device_batch"), explaining_memory(fewer_at_once(6)):
        raise error


def test_arrays_that_no_memory_holds_are_explained() -> None:
    with pytest.raises(UserError, match="lower device_batch"), explaining_memory(fewer_at_once(6)):
        np.empty(2**60, np.uint8)


def test_a_state_that_no_memory_holds_a_copy_of_is_explained(tmp_path: Path) -> None:
    class Wide(SmallTask):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("counts", torch.zeros(1, dtype=torch.int64).expand(2**50))

    with pytest.raises(UserError, match="no memory for a copy of the weights, or of the state that is saved"):
        SmallTraining(tmp_path, task=Wide).run()


def test_other_errors_of_torch_stay_what_they_are(tmp_path: Path) -> None:
    class Wrong(SmallTask):
        def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
            return {"loss": self.model(torch.zeros(1, 17)).mean()}

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        SmallTraining(tmp_path, task=Wrong).run()


def test_a_disk_that_takes_no_state_shows_at_the_start_of_a_run(tmp_path: Path) -> None:
    steps: list[int] = []
    run = SmallTraining(tmp_path, settings_of(steps=1000), before=steps.append, checkpoint_seconds=1e9)
    with files_of_at_most(2000), pytest.raises(UserError, match="state of step 0 cannot be written"):
        run.run()
    assert len(steps) < 1000
