from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch

from pipeline.models.encoder import build_encoder, normalise
from pipeline.models.encoder_folder import WEIGHTS, load_encoder, save_encoder, save_pixels
from pipeline.records.errors import UserError
from pipeline.settings.encoders import PixelsEncoderSettings
from pipeline.settings.pretraining import EncoderSettings

SETTINGS = EncoderSettings(
    architecture="vit_tiny_patch16_224", image_size=64, patch_size=8, width=48, depth=2, heads=2, mean=0.4, std=0.3
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_encoder(tmp_path / "mae", build_encoder(SETTINGS, seed=0), SETTINGS)
    return tmp_path / "mae"


def test_an_encoder_loads_in_timm_by_one_line_with_equal_outputs(folder: Path) -> None:
    ours, _ = load_encoder(folder)
    theirs = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    images = torch.rand(2, 1, 64, 64)
    assert torch.equal(ours.forward_features(images), theirs.forward_features(images))


def test_timm_learns_the_normalisation_and_the_channels_from_the_folder(folder: Path) -> None:
    data = timm.data.resolve_model_data_config(timm.create_model(f"local-dir:{folder}", pretrained=True))
    assert data["input_size"] == (1, 64, 64)
    assert (data["mean"], data["std"]) == ([0.4], [0.3])


def test_the_settings_that_matter_come_back(folder: Path) -> None:
    _, settings = load_encoder(folder)
    assert settings is not None
    images = torch.rand(1, 1, 64, 64)
    assert torch.equal(normalise(images, settings), normalise(images, SETTINGS))
    assert (settings.image_size, settings.patch_size, settings.channels) == (64, 8, 1)


def test_weights_that_do_not_fit_are_refused(folder: Path) -> None:
    weights = safetensors.torch.load_file(folder / WEIGHTS)
    del weights["norm.weight"]
    safetensors.torch.save_file(weights, folder / WEIGHTS)
    with pytest.raises(RuntimeError, match=r"Missing key.*norm\.weight"):
        load_encoder(folder)


def test_a_folder_without_an_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no encoder"):
        load_encoder(tmp_path)


def test_the_pixel_baseline_averages_areas(tmp_path: Path) -> None:
    save_pixels(tmp_path / "pixels", PixelsEncoderSettings(kind="pixels", side=2))
    encoder, settings = load_encoder(tmp_path / "pixels")
    assert settings is None
    image = torch.tensor([[0.0, 1.0, 0.2, 0.2], [1.0, 0.0, 0.2, 0.2], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    torch.testing.assert_close(encoder(image[None, None]), torch.tensor([[0.5, 0.2, 0.0, 1.0]]))


def test_an_architecture_timm_does_not_have_is_refused() -> None:
    with pytest.raises(UserError, match="'vit_gigantic' is not a vision transformer of timm"):
        build_encoder(EncoderSettings(architecture="vit_gigantic"), seed=0)
