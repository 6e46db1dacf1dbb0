"""The loop over two processes: one run, decided alike, that ends as that of one process does."""

import sys
from pathlib import Path
from typing import Any

import loop_processes
import pytest
import torch
from small_training import SmallTraining, same_bytes

from pipeline.settings.hardware import Hardware
from pipeline.training.launch import launch


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where two processes trained."""
    folder = tmp_path_factory.mktemp("processes")
    launch([sys.executable, loop_processes.__file__, str(folder)], Hardware(threads=2, processes=2))
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> list[dict[str, Any]]:
    """Return what came of it in each process."""
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def test_both_processes_end_with_the_weights_of_one(results: list[dict[str, Any]], tmp_path: Path) -> None:
    alone = SmallTraining(tmp_path, loop_processes.settings()).run()
    first, second = (result["undisturbed"] for result in results)
    assert same_bytes(first, second)
    for name in alone:
        torch.testing.assert_close(first[name], alone[name], rtol=1e-6, atol=1e-6)


def test_the_first_process_alone_tells_the_losses_of_all(folder: Path, tmp_path: Path) -> None:
    alone = SmallTraining(tmp_path, loop_processes.settings())
    alone.run()
    together = SmallTraining(folder / "undisturbed", loop_processes.settings())
    for kind in ("step", "validation"):
        # The last life is that which was refused for reading other states than the other process.
        for event, same in zip(alone.events(kind), together.events(kind), strict=True):
            assert (same["step"], same["loss"]) == (event["step"], pytest.approx(event["loss"], rel=1e-6))


def test_a_signal_to_one_process_stops_both_after_the_same_step(results: list[dict[str, Any]]) -> None:
    assert [result["interrupted"] for result in results] == [(5, None), (5, "SIGTERM")]
    for result in results:
        assert same_bytes(result["resumed"], result["undisturbed"])


def test_a_loss_that_is_no_number_in_one_process_stops_both(results: list[dict[str, Any]]) -> None:
    for result in results:
        assert result["spoilt"].startswith("the training loss is nan at step 6")
    assert "whose images are 'made/30', 'made/31', 'made/32'" in results[0]["spoilt"]


def test_a_weight_that_is_no_number_in_one_process_stops_both(results: list[dict[str, Any]]) -> None:
    for result in results:
        assert result["spoilt buffer"].startswith("weights are no numbers after step 6")


def test_a_phase_leaves_nothing_of_the_one_before_in_memory(results: list[dict[str, Any]]) -> None:
    for result in results:
        # Batches are asked for before the task is wrapped for their step.
        assert result["wrappings"] == [0] + [1] * 7


def test_processes_that_read_different_states_are_refused(results: list[dict[str, Any]]) -> None:
    for result in results:
        assert "put the run's folder on a file system that all nodes share" in result["apart"]
