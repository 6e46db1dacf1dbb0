"""An encoder that others trained, in the workflow: what is made anew when something of it changes, and what is not."""

import copy
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import TINY_ENCODER
from torch import Tensor
from workflow_copy import SMALL, WorkflowCopy

from pipeline.models.encoder import build_encoder
from pipeline.records.digests import file_digest
from pipeline.records.metrics import read_metric_record
from pipeline.settings.encoder import EncoderSettings

pytestmark = pytest.mark.slow

RUN = SMALL["pretrain"]["small"]
EVALUATED = "results/evaluate/view/theirs/linear_probe.json"
WANTED = (EVALUATED, "results/encoders/small/README.md", "results/encoders/theirs/README.md")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a checkpoint as timm's training script does, and return it."""
    checkpoint = tmp_path_factory.mktemp("theirs") / "checkpoint.pth"
    torch.save(
        {"state_dict": build_encoder(EncoderSettings.model_validate(TINY_ENCODER), seed=7).state_dict()}, checkpoint
    )
    return checkpoint


@pytest.fixture(scope="module")
def finished(theirs: Path, tmp_path_factory: pytest.TempPathFactory) -> WorkflowCopy:
    """Return a copy of the repository with a run that starts from that checkpoint, built."""
    built = WorkflowCopy.of_repository(tmp_path_factory.mktemp("finished"), started_from(theirs))
    built.build(*WANTED)
    return built


@pytest.fixture
def edited(finished: WorkflowCopy, tmp_path: Path) -> WorkflowCopy:
    """Return a duplicate of the finished copy, to edit."""
    return finished.duplicate(tmp_path / "copy")


def started_from(checkpoint: Path, **changes: Any) -> dict[str, Any]:
    """Return a small configuration: a foreign encoder, changed as told, and a run that starts from it."""
    foreign = {
        "kind": "foreign",
        "format": "timm",
        "encoder": TINY_ENCODER,
        "file": str(checkpoint),
        "sha256": file_digest(checkpoint),
        "licence": "Apache-2.0",
        "provenance": "Drawn for this test.",
    }
    config = copy.deepcopy(SMALL)
    config["corpora"]["small_chexpert"]["shards"]["parts"] = 1
    config["pretrain"] = {"small": RUN | {"initial": "theirs", "optimization": RUN["optimization"] | {"steps": 5}}}
    config["controls"] = {"theirs": foreign | changes}
    config["protocols"] = {"linear_probe": {"probe": {"kind": "linear_probe"}, "encoders": ["theirs"]}}
    config["benchmarks"] = {"view": SMALL["benchmarks"]["view"]}
    return config


def weights_of(workflow: WorkflowCopy, encoder: str) -> dict[str, Tensor]:
    return safetensors.torch.load_file(workflow.folder / f"results/encoders/{encoder}/model.safetensors")


def differ(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return any(not torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_foreign_encoder_is_evaluated_and_a_run_starts_from_it(finished: WorkflowCopy, theirs: Path) -> None:
    assert finished.stale(*WANTED) == {}
    assert not differ(weights_of(finished, "theirs"), torch.load(theirs)["state_dict"])
    record = read_metric_record(finished.folder / EVALUATED)
    assert record.digests.encoder == file_digest(finished.folder / "results/encoders/theirs/model.safetensors")
    card = (finished.folder / "results/encoders/small/README.md").read_text()
    assert "`theirs`, whose weights these are or come from, is published under: Apache-2.0" in card


def test_a_checkpoint_that_was_moved_makes_nothing_stale(edited: WorkflowCopy, theirs: Path, tmp_path: Path) -> None:
    moved = tmp_path / "archive" / theirs.name
    moved.parent.mkdir()
    moved.write_bytes(theirs.read_bytes())
    edited.configure(started_from(moved))
    assert edited.stale(*WANTED) == {}


def test_a_checkpoint_that_is_not_there_is_named_in_one_sentence(
    edited: WorkflowCopy, theirs: Path, tmp_path: Path
) -> None:
    encoder = TINY_ENCODER | {"mean": 0.4}
    edited.configure(started_from(theirs, file=str(tmp_path / "gone.pth"), encoder=encoder))
    process = edited.start("--profile", "profiles/local", "--cores", "2", "results/encoders/theirs/model.safetensors")
    output, _ = process.communicate()
    assert process.returncode == 1
    assert "gone.pth cannot be read (No such file or directory); give the path of a checkpoint file" in output


def test_another_normalisation_trains_anew_what_starts_from_the_encoder(edited: WorkflowCopy, theirs: Path) -> None:
    before = weights_of(edited, "small")
    edited.configure(started_from(theirs, encoder=TINY_ENCODER | {"mean": 0.3}))
    edited.build("results/encoders/small/model.safetensors")
    assert differ(weights_of(edited, "small"), before)


def test_another_licence_is_stated_in_the_cards_of_all_that_have_these_weights(
    edited: WorkflowCopy, theirs: Path
) -> None:
    edited.configure(started_from(theirs, licence="CC-BY-NC-4.0"))
    assert edited.stale(*WANTED) == {"write_card": 2}
