from collections.abc import Iterator
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from conftest import TINY_ENCODER
from torch.nn import functional

from pipeline.batches.batch import ImageBatch
from pipeline.batches.planes import Planes
from pipeline.evaluation.feature_file import FeatureOrigin, read_origin, write_features
from pipeline.evaluation.features import encode
from pipeline.models.encoder import build_encoder, normalise
from pipeline.models.pixels import PixelEncoder
from pipeline.settings.encoder import EncoderSettings

SETTINGS = EncoderSettings.model_validate(TINY_ENCODER)


def batches(sizes: list[tuple[int, int]]) -> Iterator[ImageBatch]:
    """Yield batches of two random images each, of one size per batch."""
    generator = torch.Generator().manual_seed(0)
    for number, size in enumerate(sizes):
        pixels = torch.randint(0, 256, (2, 1, *size), generator=generator, dtype=torch.uint8)
        places = np.arange(2 * number, 2 * number + 2)
        yield ImageBatch(Planes.of(pixels), np.zeros(2, np.int64), places, np.zeros(2, np.int64))


def test_features_are_the_tokens_timm_gives_in_the_order_of_the_batches() -> None:
    encoder = build_encoder(SETTINGS, seed=0).eval()
    features = encode(encoder, SETTINGS, batches([(32, 32), (32, 32), (32, 32)]), torch.device("cpu"), side=32)
    third = list(batches([(32, 32), (32, 32)]))[1].images.pixels.float() / 255
    with torch.no_grad():
        tokens = encoder.forward_features(normalise(third, SETTINGS))
    assert features["mean"].shape == (6, 24)
    np.testing.assert_allclose(features["cls"][2:4], tokens[:, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(features["mean"][2:4], tokens[:, 1:].mean(dim=1), rtol=1e-4, atol=1e-5)


def test_images_of_any_size_are_squashed_to_the_side_asked_for() -> None:
    features = encode(PixelEncoder(8), None, batches([(40, 50), (33, 24)]), torch.device("cpu"), side=8)
    for place, batch in enumerate(batches([(40, 50), (33, 24)])):
        resized = functional.interpolate(batch.images.pixels.float(), (8, 8), mode="bicubic", antialias=True)
        expected = (resized / 255).clamp(0, 1).flatten(1)
        np.testing.assert_allclose(features["mean"][2 * place : 2 * place + 2], expected, atol=1e-5)


def test_a_feature_file_says_what_it_was_computed_from(tmp_path: Path) -> None:
    origin = FeatureOrigin(encoder="a" * 64, index="b" * 64, device="cpu", decoder="made", quarantined=0)
    features = {"mean": np.arange(6, dtype=np.float32).reshape(2, 3)}
    write_features(tmp_path / "f.safetensors", features, origin)
    assert read_origin(tmp_path / "f.safetensors") == origin
    np.testing.assert_array_equal(safetensors.numpy.load_file(tmp_path / "f.safetensors")["mean"], features["mean"])
