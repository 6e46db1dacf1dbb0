from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_training import SmallTask, SmallTraining, images, settings_of
from torch import Tensor

from pipeline.batches.batch import ImageBatch
from pipeline.records.errors import UserError
from pipeline.training.group import ALONE
from pipeline.training.validation import mean_loss

CPU = torch.device("cpu")


def mean_index(batch: ImageBatch) -> Tensor:
    return torch.tensor(batch.indices.astype(np.float32)).mean()


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_the_loss_is_the_mean_over_images_however_they_are_cut(sizes: list[int]) -> None:
    positions = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    reading = mean_loss(mean_index, map(images, positions), ALONE, CPU)
    assert reading.loss == pytest.approx((sum(sizes) - 1) / 2)


def test_validation_without_images_says_so() -> None:
    with pytest.raises(UserError, match="no image to validate on; give one of the run's corpora a val split"):
        mean_loss(mean_index, [], ALONE, CPU)


def test_validation_draws_no_dropout_keeps_no_gradient_and_leaves_the_task_training(tmp_path: Path) -> None:
    calls: list[tuple[bool, bool]] = []

    class Watched(SmallTask):
        def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
            calls.append((self.training, torch.is_grad_enabled()))
            return super().forward(batch)

    SmallTraining(tmp_path, settings_of(steps=4), task=Watched).run()
    measurement, *steps = calls
    training, validation = (True, True), (False, False)
    assert measurement == (False, False)
    assert steps == [training, training, validation] * 2
