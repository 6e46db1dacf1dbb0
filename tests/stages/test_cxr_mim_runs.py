"""A run of CXR-MIM from shards with gaze maps to a published encoder, stopped, cut into parts, or started from another.

The corpus is a phantom of REFLACX.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from corpus_stages import RawFolder
from tests.stages.pretraining import record_of, run_of
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from pipeline.models.encoder import build_encoder
from pipeline.models.encoder_folder import load_encoder, save_encoder
from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.records.events import Event, read_history
from pipeline.records.runs import BatchRecord
from pipeline.settings.corpora import PhantomSource, ShardSettings, SplitSettings
from pipeline.settings.hardware import Hardware
from pipeline.settings.layouts.mimic import MimicCxrLayout
from pipeline.settings.layouts.mimic_derived import ReflacxLayout
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.sources.phantom.cohort import write_cohort
from pipeline.stages.pretrain_encoder import pretrain_encoder
from pipeline.stages.training_run import Run
from pipeline.tasks.cxr_mim import CxrMim

TASK = {"kind": "cxr_mim", "taps": [0, 1], "scales": [4, 1], "decoder_width": 16, "decoder_heads": 2}
MEANS = ("loss", "gazed", "clinical_patches")


@pytest.fixture(scope="module")
def gazed_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the shards of a small corpus most images of which have a gaze map, and return their index."""
    base = tmp_path_factory.mktemp("raw")
    for name in ("mimic_cxr", "reflacx"):
        write_cohort(base / name, PhantomSource(kind="phantom", patients=8, image_size=64), name)
    lender = RawFolder(base / "mimic_cxr", MimicCxrLayout(format="mimic_cxr"))
    lender.fetch()
    corpus = RawFolder(base / "reflacx", ReflacxLayout(format="reflacx", images_of="mimic_cxr"), {"images": lender})
    corpus.fetch()
    splits = SplitSettings(scheme="patient", val_fraction=0.4, test_fraction=0.1)
    return corpus.shard(ShardSettings(image_size=32), corpus.build(splits))


@pytest.fixture
def settings(small_run: PretrainingSettings) -> PretrainingSettings:
    """Return a run of CXR-MIM that trains in a second, and tells of every step."""
    return PretrainingSettings.model_validate(small_run.model_dump(mode="json") | {"task": TASK, "log_every": 1})


def steps_of(run: Run) -> list[Event]:
    return [event for event in read_history(run.run_folder / "history.jsonl") if event["event"] == "step"]


def means_of(run: Run) -> list[Any]:
    """Return loss and what is watched of each step, one after the other."""
    return [step[name] for step in steps_of(run) for name in MEANS]


@contextmanager
def stopped_in_step(last: int) -> Iterator[None]:
    """Have the system ask for the machine while a run takes its `last` step of training, counted from 1."""
    steps = 0

    def ask(module: nn.Module, _: object) -> None:
        nonlocal steps
        if isinstance(module, CxrMim) and module.training:
            steps += 1
            if steps == last:
                signal.raise_signal(signal.SIGTERM)

    hook = register_module_forward_pre_hook(ask)
    try:
        yield
    finally:
        hook.remove()


def test_the_history_tells_how_many_images_were_looked_at_and_where(
    gazed_index: Path, settings: PretrainingSettings, tmp_path: Path
) -> None:
    run = run_of([gazed_index], settings, tmp_path)
    pretrain_encoder(run)
    steps = steps_of(run)
    assert [step["step"] for step in steps] == list(range(1, 9))
    for step in steps:
        gazed, patches = step["gazed"], step["clinical_patches"]
        assert isinstance(gazed, float)
        assert isinstance(patches, float)
        assert 0 < gazed <= 1
        assert 0 < patches < 16 * gazed  # of 4 by 4 patches of each image that somebody looked at


def test_at_random_nothing_is_watched(gazed_index: Path, settings: PretrainingSettings, tmp_path: Path) -> None:
    run = run_of([gazed_index], settings, tmp_path, task=TASK | {"masking": "random", "gaze_weighting": "off"})
    pretrain_encoder(run)
    assert not any({"gazed", "clinical_patches"} & step.keys() for step in steps_of(run))


def test_a_run_that_is_stopped_in_the_middle_ends_with_the_bytes_of_one_that_is_not(
    gazed_index: Path, settings: PretrainingSettings, tmp_path: Path
) -> None:
    undisturbed, stopped = (run_of([gazed_index], settings, tmp_path / name) for name in ("undisturbed", "stopped"))
    pretrain_encoder(undisturbed)
    with pytest.raises(UserError, match="SIGTERM after step 4"), stopped_in_step(4):
        pretrain_encoder(stopped)
    assert not stopped.encoder_folder.exists()
    pretrain_encoder(stopped)
    starts = [event for event in read_history(stopped.run_folder / "history.jsonl") if event["event"] == "start"]
    assert [start["step"] for start in starts] == [0, 4]
    assert means_of(stopped) == means_of(undisturbed)
    for weights in ("encoder/model.safetensors", "run/model.safetensors"):
        assert (tmp_path / "stopped" / weights).read_bytes() == (tmp_path / "undisturbed" / weights).read_bytes()


def test_a_batch_in_parts_gives_the_losses_of_a_whole_one(
    gazed_index: Path, settings: PretrainingSettings, tmp_path: Path
) -> None:
    whole, parts = (run_of([gazed_index], settings, tmp_path / name) for name in ("whole", "parts"))
    pretrain_encoder(whole)
    pretrain_encoder(parts.model_copy(update={"hardware": Hardware(threads=2, device_batch=2)}))
    assert means_of(parts) == pytest.approx(means_of(whole), abs=1e-5)
    assert record_of(tmp_path / "parts").batch == BatchRecord(images=6, device_batch=2, accumulation=3, processes=1)


def test_the_published_encoder_is_the_trained_one_and_loads(
    gazed_index: Path, settings: PretrainingSettings, tmp_path: Path
) -> None:
    run = run_of([gazed_index], settings, tmp_path)
    pretrain_encoder(run)
    encoder, shape = load_encoder(run.encoder_folder)
    assert shape == settings.encoder
    trained = safetensors.torch.load_file(run.run_folder / "model.safetensors")
    published, fresh = encoder.state_dict(), CxrMim(run.settings).encoder.state_dict()
    assert published.keys() == {name.removeprefix("encoder.") for name in trained if name.startswith("encoder.")}
    assert all(torch.equal(weight, trained[f"encoder.{name}"]) for name, weight in published.items())
    kept = {name for name, weight in published.items() if torch.equal(weight, fresh[name])}
    assert kept == {"pos_embed"}
    assert encoder(torch.rand(2, 1, 32, 32)).shape == (2, 24)


def test_a_run_starts_from_the_encoder_that_its_record_names(
    gazed_index: Path, settings: PretrainingSettings, tmp_path: Path
) -> None:
    other = build_encoder(settings.encoder, seed=9)
    save_encoder(tmp_path / "other", other, settings.encoder)
    still = settings.optimization.model_copy(update={"base_learning_rate": 1e-12})
    run = run_of([gazed_index], settings, tmp_path, initial="other", optimization=still.model_dump(mode="json"))
    pretrain_encoder(run.model_copy(update={"initial": tmp_path / "other"}))
    inputs = record_of(tmp_path).inputs
    assert inputs["reflacx"] == file_digest(gazed_index)
    assert inputs["initial encoder"] == file_digest(tmp_path / "other" / "model.safetensors")
    published, expected = load_encoder(run.encoder_folder)[0].state_dict(), other.state_dict()
    for name, weight in published.items():
        torch.testing.assert_close(weight, expected[name], rtol=0, atol=1e-6)
