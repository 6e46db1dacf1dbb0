"""The benchmark for GPUs, on a CPU and in small."""

import shutil
from pathlib import Path

import pytest
import torch
from benchmarks import mae_gpu
from benchmarks.mae_gpu import Effort, measure_shape
from benchmarks.masked.feeding import write_shard
from benchmarks.masked.shapes import CROSS, Shape, shape

from pipeline.records.errors import UserError
from pipeline.settings.encoder import EncoderSettings

CPU = torch.device("cpu")


def small_shape() -> Shape:
    encoder = EncoderSettings(
        architecture="vit_tiny_patch16_224", image_size=32, patch_size=8, width=24, depth=1, heads=2
    )
    return shape("small", encoder, **(CROSS | {"decoder_width": 16, "decoder_heads": 2, "decoder_depth": 1}))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles by g++")
def test_the_benchmark_for_gpus_measures_rates_mfu_and_waiting_and_leaves_the_settings_of_torch(tmp_path: Path) -> None:
    effort = Effort(batch_size=4, warm_up=1, steps=2, rounds=1, samples=16)
    measures = measure_shape(small_shape(), CPU, effort, write_shard(tmp_path, effort.samples))
    assert [measure.measure for measure in measures] == [
        "small, eager",
        "small, compiled",
        "small, eager: MFU",
        "small, compiled: MFU",
        "small, compiled: data wait",
    ]
    assert all(measure.ours > 0 and measure.theirs > 0 for measure in measures)
    assert all(0 < measure.ours < 100 for measure in measures[2:])
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_benchmark_for_gpus_says_that_it_needs_one() -> None:
    with pytest.raises(UserError, match=r"needs a GPU"):
        mae_gpu.run()
