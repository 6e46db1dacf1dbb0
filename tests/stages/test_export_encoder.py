import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from pipeline.batches.batch import ImageBatch
from pipeline.batches.planes import Planes
from pipeline.evaluation.features import CLS, MEAN, encode
from pipeline.models.encoder import build_encoder
from pipeline.models.encoder_folder import WEIGHTS, load_encoder, save_encoder, save_pixels
from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.encoders import PixelsEncoderSettings
from pipeline.stages.export_encoder import export_encoder

SETTINGS = EncoderSettings(
    architecture="vit_tiny_patch16_224",
    image_size=64,
    patch_size=8,
    width=48,
    depth=2,
    heads=2,
    channels=3,
    mean=(0.5, 0.4, 0.3),
    std=(0.2, 0.3, 0.4),
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_encoder(tmp_path, build_encoder(SETTINGS, seed=0), SETTINGS)
    export_encoder("tiny", tmp_path, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def test_the_exported_features_are_those_that_benchmarks_see(model: Path) -> None:
    images = torch.randint(0, 256, (3, 1, 64, 64), dtype=torch.uint8)
    zeros = np.zeros(3, np.int64)
    batch = ImageBatch(Planes.of(images), epochs=zeros, indices=np.arange(3), corpora=zeros)
    ours = encode(*load_encoder(model.parent), iter([batch]), torch.device("cpu"), side=64)

    pixels = images.numpy().astype(np.float32) / 255
    class_token, patch_mean = onnxruntime.InferenceSession(model).run(None, {"pixels": pixels})
    np.testing.assert_allclose(class_token, ours[CLS], rtol=0, atol=1e-5)
    np.testing.assert_allclose(patch_mean, ours[MEAN], rtol=0, atol=1e-5)


def test_the_model_names_the_weights_it_was_made_from(model: Path) -> None:
    properties = onnxruntime.InferenceSession(model).get_modelmeta().custom_metadata_map
    assert properties["name"] == "tiny"
    assert properties["weights_sha256"] == file_digest(model.parent / WEIGHTS)
    assert json.loads(properties["mean"]) == [0.5, 0.4, 0.3]


def test_the_pixel_baseline_is_no_network_to_export(tmp_path: Path) -> None:
    save_pixels(tmp_path, PixelsEncoderSettings(kind="pixels"))
    with pytest.raises(UserError, match="pixel baseline"):
        export_encoder("pixels", tmp_path, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
