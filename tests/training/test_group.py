"""Processes that train together: they agree, add up, and have the gradients of one that trains alone."""

import json
import sys
from typing import Any

import group_checks
import pytest
import torch
from torch import nn

from pipeline.records.errors import UserError
from pipeline.settings.hardware import Hardware
from pipeline.training.group import ALONE
from pipeline.training.launch import launch


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return what each of two processes found, of which the second vanishes at the end."""
    folder = tmp_path_factory.mktemp("group")
    with pytest.raises(UserError, match="process 1 of the training ended with an error"):
        launch([sys.executable, group_checks.__file__, str(folder)], Hardware(threads=2, processes=2))
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


def test_each_process_knows_its_place(found: list[dict[str, Any]]) -> None:
    assert [process["place"] for process in found] == [[0, 2, 0, True], [1, 2, 1, False]]


def test_processes_add_up_and_agree(found: list[dict[str, Any]]) -> None:
    for process in found:
        assert process["total"] == [2.0, 10.0]
        assert process["any"] == [True, True, False, True]
        assert process["first"] == 0.1


@pytest.mark.parametrize("device_batch", ["0", "2"], ids=["uneven-parts", "accumulated"])
def test_gradients_are_those_of_one_process_with_the_whole_batch(
    found: list[dict[str, Any]], device_batch: str
) -> None:
    alone = group_checks.gradients(ALONE, device_batch=0)
    for process in found:
        for ours, theirs in zip(process["gradients"][device_batch], alone, strict=True):
            torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs), rtol=1e-9, atol=1e-12)


def test_the_gradient_of_a_batch_is_that_of_its_mean_loss() -> None:
    module = group_checks.small_module(seed=0)
    module(group_checks.inputs()).square().mean().backward()
    expected = [parameter.grad for parameter in module.parameters()]
    for ours, theirs in zip(group_checks.gradients(ALONE, device_batch=3), expected, strict=True):
        assert theirs is not None
        torch.testing.assert_close(torch.tensor(ours, dtype=torch.float64), theirs.reshape(-1))


def test_a_process_that_loses_another_says_so(found: list[dict[str, Any]]) -> None:
    assert "process 0 lost another process of the training" in found[0]["error"]
    assert "error" not in found[1]


def test_one_process_alone_agrees_with_itself() -> None:
    values, module = torch.tensor([1.0, 2.0]), nn.Linear(2, 2)
    assert ALONE.is_first
    assert ALONE.total(values) is values
    assert ALONE.any(True, False) == (True, False)
    assert ALONE.first_says(0.1) == 0.1
    assert ALONE.wrap(module) is module
    with ALONE.accumulating(module, last=False):
        module(values).sum().backward()
    assert module.weight.grad is not None
