"""Batches on their way to a device; where no GPU is, one that only knows shapes stands for it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from shard_cohort import write_corpus

from pipeline.batches.batch import Companions, ImageBatch
from pipeline.batches.loader import TrainingLoader, fixed_batches
from pipeline.batches.samples import Samples, Selection

EVERYTHING = Companions(masks=("lungs", "heart"), gaze=True, texts=("findings",), boxes=True)


def read(folder: Path, pinned: bool) -> list[ImageBatch]:
    with Samples([write_corpus(folder / "corpus", train=8)], Selection(("train",))) as samples:
        loader = TrainingLoader(samples, 4, 0, 2, EVERYTHING, pinned=pinned)
        return [*loader.batches(0, 2), *fixed_batches(samples, 4, np.arange(4), 2, EVERYTHING, pinned=pinned)]


def tensors(batch: ImageBatch) -> dict[str, torch.Tensor]:
    assert batch.masks is not None
    assert batch.gaze is not None
    assert batch.boxes is not None
    assert batch.masked is not None
    assert batch.gazed is not None
    return {
        "images": batch.images.pixels,
        "masks": batch.masks.pixels,
        "masked": batch.masked,
        "gaze": batch.gaze.pixels,
        "gazed": batch.gazed,
        "corners": batch.boxes.corners,
        "boxed images": batch.boxes.images,
    }


def test_all_tensors_go_to_the_device_and_what_says_how_to_resample_stays(tmp_path: Path) -> None:
    batch = read(tmp_path, pinned=False)[0]
    sent = batch.to(torch.device("meta"))
    assert {name: tensor.device.type for name, tensor in tensors(sent).items()} == dict.fromkeys(tensors(sent), "meta")
    assert sent.masks is not None
    assert sent.gaze is not None
    for planes in (sent.images, sent.masks, sent.gaze):
        assert planes.sizes.device.type == planes.extents.device.type == "cpu"
    assert torch.equal(sent.images.sizes, batch.images.sizes)
    assert sent.texts == batch.texts
    assert batch.to(torch.device("cpu")) is batch


def test_memory_is_not_page_locked_only_because_a_gpu_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for batch in read(tmp_path, pinned=False):
        assert not any(tensor.is_pinned() for tensor in tensors(batch).values())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="page-locked memory needs a GPU")
def test_batches_for_a_gpu_are_page_locked(tmp_path: Path) -> None:
    for batch in read(tmp_path, pinned=True):
        held = tensors(batch)
        assert all(held[name].is_pinned() for name in ("images", "masks", "gaze"))
        for name, sent in tensors(batch.to(torch.device("cuda"))).items():
            assert torch.equal(sent.cpu(), held[name])
