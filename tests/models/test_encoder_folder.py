from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
import transformers
from PIL import Image

from pipeline.batches.planes import Planes
from pipeline.batches.resampling import Windows, resample
from pipeline.models.encoder import build_encoder, normalise
from pipeline.models.encoder_folder import WEIGHTS, load_encoder, save_encoder, save_pixels
from pipeline.records.errors import UserError
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.encoders import PixelsEncoderSettings

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


GRAY_LEVEL = 1 / 255
SHAPES: Mapping[str, Any] = {
    "one channel": {"image_size": 64, "patch_size": 8, "width": 128, "mean": 0.4, "std": 0.3},
    "three channels": {
        "image_size": 48,
        "patch_size": 12,
        "width": 64,
        "channels": 3,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
    },
}


@pytest.fixture(params=SHAPES)
def shaped(request: pytest.FixtureRequest) -> EncoderSettings:
    shape = {"architecture": "vit_tiny_patch16_224", "depth": 2, "heads": 4} | SHAPES[request.param]
    return EncoderSettings.model_validate(shape)


@pytest.fixture
def shaped_folder(shaped: EncoderSettings, tmp_path: Path) -> Path:
    save_encoder(tmp_path / "shaped", build_encoder(shaped, seed=0), shaped)
    return tmp_path / "shaped"


def test_timm_and_transformers_give_equal_features(shaped: EncoderSettings, shaped_folder: Path) -> None:
    images = torch.rand(2, shaped.channels, shaped.image_size, shaped.image_size)
    with torch.no_grad():
        tokens = build_encoder(shaped, seed=0).eval().forward_features(images)
        in_timm = timm.create_model(f"local-dir:{shaped_folder}", pretrained=True).eval()
        in_transformers = transformers.AutoModel.from_pretrained(shaped_folder).eval()
        wrapped = in_transformers(images)
        torch.testing.assert_close(in_timm.forward_features(images), tokens, rtol=0, atol=1e-5)
        torch.testing.assert_close(in_timm(images), tokens[:, 0], rtol=0, atol=1e-5)
    torch.testing.assert_close(wrapped.last_hidden_state, tokens, rtol=0, atol=1e-5)
    torch.testing.assert_close(wrapped.pooler_output, tokens[:, 0], rtol=0, atol=1e-5)


def test_a_model_saved_by_transformers_is_the_same_again(
    shaped: EncoderSettings, shaped_folder: Path, tmp_path: Path
) -> None:
    transformers.AutoModel.from_pretrained(shaped_folder).save_pretrained(tmp_path / "again")
    images = torch.rand(1, shaped.channels, shaped.image_size, shaped.image_size)
    again = transformers.AutoModel.from_pretrained(tmp_path / "again").eval()
    ours, _ = load_encoder(shaped_folder)
    torch.testing.assert_close(again(images).last_hidden_state, ours.forward_features(images), rtol=0, atol=1e-5)


def test_timm_and_transformers_learn_the_preprocessing_of_features_from_the_folder(
    shaped: EncoderSettings, shaped_folder: Path
) -> None:
    blocks = np.random.default_rng(0).integers(80, 170, (18, 30), dtype=np.uint8)
    gray = blocks.repeat(7, axis=0).repeat(5, axis=1)
    planes = Planes.of(torch.from_numpy(gray)[None, None])
    expected = normalise(resample(planes, Windows.whole(1), shaped.image_size, "bicubic"), shaped)
    image = Image.fromarray(gray).convert("L" if shaped.channels == 1 else "RGB")

    model = timm.create_model(f"local-dir:{shaped_folder}", pretrained=True)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    processor = transformers.AutoImageProcessor.from_pretrained(shaped_folder)
    for found in (transform(image)[None], processor(image)["pixel_values"]):
        torch.testing.assert_close(found, expected, rtol=0, atol=GRAY_LEVEL / 0.22)  # PIL rounds to them


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
