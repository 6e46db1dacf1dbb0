from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from conftest import TINY_ENCODER

from pipeline.batches.loader import fixed_batches
from pipeline.batches.samples import Samples
from pipeline.evaluation.feature_file import FeatureOrigin, read_origin, write_features
from pipeline.evaluation.features import encode
from pipeline.models.encoder import build_encoder, normalise
from pipeline.settings.pretraining import EncoderSettings

SETTINGS = EncoderSettings.model_validate(TINY_ENCODER)


def test_features_are_the_tokens_timm_gives_in_the_order_of_the_index(made_index: Path) -> None:
    encoder = build_encoder(SETTINGS, seed=0).eval()
    with Samples([made_index], ["train", "val", "test"]) as samples:
        batches = fixed_batches(samples, 32, 7, np.arange(len(samples)), threads=2)
        features = encode(encoder, SETTINGS, batches, torch.device("cpu"))
        image = torch.from_numpy(samples.square_image(9, 32)).float()[None, None] / 255
    with torch.no_grad():
        tokens = encoder.forward_features(normalise(image, SETTINGS))
    assert features["mean"].shape == (24, 24)
    np.testing.assert_allclose(features["cls"][9], tokens[0, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(features["mean"][9], tokens[0, 1:].mean(dim=0), rtol=1e-4, atol=1e-5)


def test_a_feature_file_says_what_it_was_computed_from(tmp_path: Path) -> None:
    origin = FeatureOrigin(encoder="a" * 64, index="b" * 64, device="cpu")
    features = {"mean": np.arange(6, dtype=np.float32).reshape(2, 3)}
    write_features(tmp_path / "f.safetensors", features, origin)
    assert read_origin(tmp_path / "f.safetensors") == origin
    np.testing.assert_array_equal(safetensors.numpy.load_file(tmp_path / "f.safetensors")["mean"], features["mean"])
