"""A run on several devices: the same trajectory as on one, one publication, one list of damaged samples."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.stages.pretraining import damage, record_of, run_of

from pipeline.records.errors import UserError
from pipeline.records.events import read_history
from pipeline.records.runs import BatchRecord
from pipeline.settings.hardware import Hardware
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.stages.pretrain_encoder import pretrain_encoder
from pipeline.stages.run_data import batches_of, opened_samples, own_quarantine
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding
from pipeline.training.batching import plan_batch
from pipeline.training.group import ALONE

TOLERANCE = 1e-5
"""Largest difference of a loss, float32: sums are taken in another order."""


def losses(folder: Path) -> list[Any]:
    events = read_history(folder / "run" / "history.jsonl")
    return [event["loss"] for event in events if event["event"] in ("step", "validation")]


@pytest.mark.parametrize(
    ("hardware", "batch"),
    [
        pytest.param(
            Hardware(threads=2, processes=2),
            BatchRecord(images=6, device_batch=3, accumulation=1, processes=2),
            id="two processes",
        ),
        pytest.param(
            Hardware(threads=1, device_batch=4),
            BatchRecord(images=6, device_batch=3, accumulation=2, processes=1),
            id="two parts",
        ),
        pytest.param(
            Hardware(threads=2, processes=2, device_batch=2, readers=0),
            BatchRecord(images=6, device_batch=2, accumulation=2, processes=2),
            id="two parts on each of two processes",
        ),
    ],
)
def test_a_cut_batch_gives_the_losses_of_a_whole_one(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path, hardware: Hardware, batch: BatchRecord
) -> None:
    averaged = small_run.optimization.model_copy(update={"average_decay": 0.9, "clip_norm": 1.0, "layer_decay": 0.8})
    settings = small_run.model_copy(update={"optimization": averaged, "log_every": 1})
    for name, shape in (("whole", Hardware(threads=1)), ("cut", hardware)):
        run = run_of([made_index], settings, tmp_path / name)
        pretrain_encoder(run.model_copy(update={"hardware": shape}))
    assert losses(tmp_path / "cut") == pytest.approx(losses(tmp_path / "whole"), abs=TOLERANCE)
    assert record_of(tmp_path / "cut").batch == batch


def test_what_two_processes_set_aside_is_one_list_and_what_stops_one_of_them_is_told_in_the_log(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path
) -> None:
    keys = damage(made_index, 3)
    two = {"hardware": Hardware(threads=2, processes=2)}
    with pytest.raises(UserError, match=r"process \d of the training"):
        pretrain_encoder(run_of([made_index], small_run, tmp_path, max_bad=0).model_copy(update=two))
    log = (tmp_path / "rule.log").read_text()
    assert "are not those that were indexed" in log
    assert "torchelastic" not in log
    pretrain_encoder(run_of([made_index], small_run, tmp_path, max_bad=3).model_copy(update=two))
    assert not list((tmp_path / "run" / "state").glob("job*"))
    listed = [json.loads(line) for line in (tmp_path / "run" / "quarantine.jsonl").read_text().splitlines()]
    assert [entry["key"] for entry in listed] == sorted(keys)
    assert record_of(tmp_path).quarantined == 3


def test_the_processes_of_a_node_share_its_threads_for_reading(
    made_index: Path, small_run: PretrainingSettings, tmp_path: Path
) -> None:
    shared = Hardware(threads=4, processes=2)
    run = run_of([made_index], small_run, tmp_path).model_copy(update={"hardware": shared})
    companions = MaskedAutoencoding(run.settings).companions
    with opened_samples(run, own_quarantine(run, tmp_path, ALONE, continues=False)) as samples:
        batches = batches_of(run, samples, companions, plan_batch(6, 1, 0), ALONE, torch.device("cpu")).training(0, 9)
        for _ in range(5):
            next(batches)
        readers = [thread for thread in threading.enumerate() if thread.name.startswith("reader")]
        assert 1 <= len(readers) <= 2
        del batches
