"""A published run is drawn from its weights and settings, whatever its method."""

from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
import safetensors.torch
from corpus_stages import RawFolder

from pipeline.records.publish import publish_bytes, publish_json
from pipeline.reporting.gaze_pictures import HEADER
from pipeline.settings.corpora import PhantomSource, ShardSettings, SplitSettings
from pipeline.settings.layouts.mimic import MimicCxrLayout
from pipeline.settings.layouts.mimic_derived import ReflacxLayout
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.sources.phantom.cohort import write_cohort
from pipeline.stages.draw_reconstructions import draw_reconstructions
from pipeline.tasks.methods import build_task

SOURCE = PhantomSource(kind="phantom", patients=8, image_size=64)
SPLITS = SplitSettings(scheme="patient", val_fraction=0.5, test_fraction=0.1)
CXR_MIM = {"kind": "cxr_mim", "taps": [0, 1], "scales": [4, 1], "decoder_width": 16, "decoder_heads": 2}


def publish(folder: Path, run: PretrainingSettings, **changes: Any) -> tuple[Path, Path]:
    """Publish a run that was never trained; return its weights and settings."""
    settings = PretrainingSettings.model_validate(run.model_dump(mode="json") | changes)
    weights, described = folder / "model.safetensors", folder / "settings.json"
    publish_bytes(weights, safetensors.torch.save(build_task(settings).model.state_dict()))
    publish_json(described, settings.model_dump(mode="json"))
    return weights, described


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return indexes of a corpus with gaze maps and of one without."""
    base = tmp_path_factory.mktemp("raw")
    for name in ("mimic_cxr", "reflacx"):
        write_cohort(base / name, SOURCE, name)
    lender = RawFolder(base / "mimic_cxr", MimicCxrLayout(format="mimic_cxr"))
    lender.fetch()
    layout = ReflacxLayout(format="reflacx", images_of="mimic_cxr")
    gazed = RawFolder(base / "reflacx", layout, {"images": lender})
    gazed.fetch()
    shards = ShardSettings(image_size=32)
    return [corpus.shard(shards, corpus.build(SPLITS)) for corpus in (gazed, lender)]


def test_a_masked_autoencoder_is_drawn_the_same_with_any_number_of_threads(
    small_run: PretrainingSettings, made_index: Path, tmp_path: Path
) -> None:
    weights, settings = publish(tmp_path, small_run)
    figures = [tmp_path / f"{threads}.png" for threads in (0, 2)]
    for threads, figure in zip((0, 2), figures, strict=True):
        draw_reconstructions(weights, settings, [made_index], threads, figure)
    assert figures[0].read_bytes() == figures[1].read_bytes()


def test_what_normalised_targets_leave_out_is_said(
    small_run: PretrainingSettings, made_index: Path, tmp_path: Path
) -> None:
    heads = []
    for norm_pix in (False, True):
        task = small_run.task.model_dump() | {"norm_pix": norm_pix}
        weights, settings = publish(tmp_path, small_run, task=task)
        draw_reconstructions(weights, settings, [made_index], 0, tmp_path / "figure.png")
        heads.append(matplotlib.image.imread(tmp_path / "figure.png")[:15, :, 0] < 0.5)
    assert heads[1].sum() > heads[0].sum() > 0  # dark pixels of letters


@pytest.mark.parametrize("masking", ["gaze", "random"])
def test_cxr_mim_is_drawn_with_gaze_where_it_reads_gaze(
    small_run: PretrainingSettings, phantom: list[Path], tmp_path: Path, masking: str
) -> None:
    task = CXR_MIM | {"masking": masking, "gaze_weighting": "off"}
    weights, settings = publish(tmp_path, small_run, task=task, corpora=["reflacx", "mimic_cxr"])
    draw_reconstructions(weights, settings, phantom, 2, tmp_path / "figure.png")
    image = matplotlib.image.imread(tmp_path / "figure.png")[..., :3]
    reddish = image[..., 0] > image[..., 2] + 0.2
    assert reddish.any() == (masking == "gaze")


@pytest.mark.parametrize("gazed", [True, False])
def test_of_a_mix_those_are_drawn_that_have_gaze_if_any_has(
    small_run: PretrainingSettings, phantom: list[Path], made_index: Path, tmp_path: Path, gazed: bool
) -> None:
    with_gaze, without = phantom
    indexes = [made_index, without, with_gaze] if gazed else [made_index, without]
    weights, settings = publish(tmp_path, small_run, task=CXR_MIM, corpora=[index.parent.name for index in indexes])
    draw_reconstructions(weights, settings, indexes, 0, tmp_path / "figure.png")
    image = matplotlib.image.imread(tmp_path / "figure.png")[HEADER:, :, :3]  # gaze is explained above
    reddish = image[..., 0] > image[..., 2] + 0.2
    assert reddish.any() == gazed


def test_weights_of_another_model_are_refused(small_run: PretrainingSettings, made_index: Path, tmp_path: Path) -> None:
    weights, _ = publish(tmp_path / "mae", small_run)
    _, settings = publish(tmp_path / "deeper", small_run, encoder=small_run.encoder.model_dump() | {"depth": 3})
    with pytest.raises(RuntimeError, match=r"blocks\.2\."):
        draw_reconstructions(weights, settings, [made_index], 0, tmp_path / "figure.png")
