from pathlib import Path
from typing import Any

import pytest
from conftest import TINY_ENCODER
from pretraining import run_of

from pipeline.models.encoder import build_encoder
from pipeline.models.encoder_folder import save_encoder
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.stages.training_run import Run, fingerprint, recipe_of

SHAPE = EncoderSettings.model_validate(TINY_ENCODER)


@pytest.fixture
def started(made_index: Path, small_run: PretrainingSettings, tmp_path: Path) -> Run:
    """Return a run that starts from a published encoder."""
    publish(tmp_path)
    return run_of([made_index], small_run, tmp_path, initial="published").model_copy(update={"initial": tmp_path})


def publish(folder: Path, seed: int = 0, **changes: Any) -> None:
    save_encoder(folder, build_encoder(SHAPE, seed), SHAPE.model_copy(update=changes))


def name(run: Run) -> str:
    return fingerprint(recipe_of(run, run.input_digests()))


def test_a_run_has_the_same_name_when_its_initial_encoder_is_published_again(started: Run, tmp_path: Path) -> None:
    before = name(started)
    publish(tmp_path)
    assert name(started) == before


@pytest.mark.parametrize("change", [{"seed": 1}, {"mean": 0.4}, {"std": 0.3}], ids=["weights", "mean", "std"])
def test_weights_from_another_beginning_are_never_taken_for_these(
    change: dict[str, Any], started: Run, tmp_path: Path
) -> None:
    before = name(started)
    publish(tmp_path, **change)
    assert name(started) != before


def test_each_file_of_the_initial_encoder_has_its_digest_beside_those_of_the_corpora(started: Run) -> None:
    fresh = started.model_copy(update={"initial": None})
    assert list(fresh.input_digests()) == ["made"]
    assert list(started.input_digests()) == ["made", "initial encoder", "initial encoder's configuration"]
