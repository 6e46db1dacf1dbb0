import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from pipeline.models.encoder import build_encoder, normalise
from pipeline.models.onnx_export import onnx_bytes
from pipeline.records.errors import UserError
from pipeline.settings.encoder import EncoderSettings

GRAY = EncoderSettings(
    architecture="vit_tiny_patch16_224", image_size=64, patch_size=8, width=128, depth=2, heads=4, mean=0.4, std=0.3
)
COLOUR = EncoderSettings(
    architecture="vit_small_patch16_224",
    image_size=48,
    width=64,
    depth=1,
    heads=4,
    channels=3,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)
DIGEST = "d" * 64


def exported(settings: EncoderSettings) -> bytes:
    return onnx_bytes(build_encoder(settings, seed=0), settings, "tiny", DIGEST)


@pytest.fixture(scope="module")
def gray_model() -> bytes:
    return exported(GRAY)


def features(settings: EncoderSettings, pixels: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        tokens = build_encoder(settings, seed=0).eval().forward_features(normalise(pixels, settings))
    return tokens[:, 0], tokens[:, 1:].mean(dim=1)


def require_equal_features(model: bytes, settings: EncoderSettings, count: int) -> None:
    session = onnxruntime.InferenceSession(model)
    pixels = torch.rand(count, 1, settings.image_size, settings.image_size)
    found = session.run(["class_token", "patch_mean"], {"pixels": pixels.numpy()})
    for ours, theirs in zip(features(settings, pixels), found, strict=True):
        np.testing.assert_allclose(theirs, ours.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_onnxruntime_gives_the_features_of_any_number_of_images(gray_model: bytes, count: int) -> None:
    require_equal_features(gray_model, GRAY, count)


def test_an_encoder_of_three_channels_takes_gray_pixels_all_the_same() -> None:
    require_equal_features(exported(COLOUR), COLOUR, 2)


def test_the_model_says_what_it_is_and_what_it_takes(gray_model: bytes) -> None:
    properties = onnxruntime.InferenceSession(gray_model).get_modelmeta().custom_metadata_map
    assert (properties["name"], properties["architecture"]) == ("tiny", "vit_tiny_patch16_224")
    assert (json.loads(properties["mean"]), json.loads(properties["std"])) == ([0.4], [0.3])
    assert properties["weights_sha256"] == DIGEST
    assert "0.0 to 1.0" in properties["input"]


def test_equal_weights_give_equal_bytes_in_another_process(gray_model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "again.onnx"
    program = (
        "from pathlib import Path; from pipeline.models.encoder import build_encoder; "
        "from pipeline.models.onnx_export import onnx_bytes; from pipeline.settings.encoder import EncoderSettings; "
        f"settings = EncoderSettings.model_validate_json('{GRAY.model_dump_json()}'); "
        f"content = onnx_bytes(build_encoder(settings, seed=0), settings, 'tiny', '{DIGEST}'); "
        f"Path({str(path)!r}).write_bytes(content)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    assert path.read_bytes() == gray_model


def test_the_model_names_no_path_of_the_machine_it_was_exported_on(gray_model: bytes) -> None:
    assert b".py" not in gray_model
    assert str(Path(torch.__file__).parents[1]).encode() not in gray_model
    onnx.checker.check_model(onnx.load_from_string(gray_model), full_check=True)


def test_an_encoder_beyond_the_size_of_one_file_is_refused() -> None:
    huge = EncoderSettings(architecture="vit_huge_patch14_224", patch_size=14)
    with torch.device("meta"):
        encoder = build_encoder(huge, seed=0)
    with pytest.raises(UserError, match=r"2\.3 GiB of weights"):
        onnx_bytes(encoder, huge, "huge", DIGEST)
