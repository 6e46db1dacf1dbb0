from pathlib import Path

import pytest
import torch
from conftest import IMAGENET, TINY_ENCODER
from timm.models.vision_transformer import VisionTransformer

from pipeline.models.encoder import build_encoder, normalise
from pipeline.models.encoder_folder import save_encoder, save_pixels
from pipeline.models.initial import start_from
from pipeline.records.errors import UserError
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.encoders import PixelsEncoderSettings

PUBLISHED = EncoderSettings.model_validate(TINY_ENCODER | IMAGENET)
OURS = PUBLISHED.model_copy(update={"channels": 1, "mean": 0.5, "std": 0.25})


@pytest.fixture
def published(tmp_path: Path) -> VisionTransformer:
    """Publish an encoder whose positions are learnt ones, and norms not those of a fresh one."""
    encoder = build_encoder(PUBLISHED, seed=0)
    with torch.no_grad():
        encoder.pos_embed.normal_(std=0.2)
        encoder.norm.weight.normal_(mean=1, std=0.2)
        encoder.patch_embed.proj.bias.normal_()
    save_encoder(tmp_path / "published", encoder, PUBLISHED)
    return encoder.eval()


def test_a_run_starts_with_the_features_of_the_encoder_it_starts_from(
    published: VisionTransformer, tmp_path: Path
) -> None:
    encoder = build_encoder(OURS, seed=1).eval()
    start_from(encoder, OURS, tmp_path / "published")
    pixels = torch.rand(2, 1, 32, 32)
    expected = published.forward_features(normalise(pixels, PUBLISHED))
    torch.testing.assert_close(encoder.forward_features(normalise(pixels, OURS)), expected, rtol=0, atol=1e-5)


def test_positions_are_the_published_ones_and_stay_frozen(published: VisionTransformer, tmp_path: Path) -> None:
    encoder = build_encoder(OURS, seed=1)
    start_from(encoder, OURS, tmp_path / "published")
    assert torch.equal(encoder.pos_embed, published.pos_embed)
    trained = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    assert trained == {name for name, _ in encoder.named_parameters()} - {"pos_embed"}


def test_an_encoder_of_another_image_size_starts_too(published: VisionTransformer, tmp_path: Path) -> None:
    larger = OURS.model_copy(update={"image_size": 64})
    encoder = build_encoder(larger, seed=1)
    start_from(encoder, larger, tmp_path / "published")
    assert torch.equal(encoder.blocks[1].mlp.fc1.weight, published.blocks[1].mlp.fc1.weight)


def test_another_shape_is_refused_with_the_folder_named(published: VisionTransformer, tmp_path: Path) -> None:
    deeper = OURS.model_copy(update={"depth": 3})
    with pytest.raises(UserError, match=r"published: weights of an encoder with depth 2 .* depth 3"):
        start_from(build_encoder(deeper, seed=1), deeper, tmp_path / "published")


def test_the_pixel_baseline_is_no_beginning(tmp_path: Path) -> None:
    save_pixels(tmp_path, PixelsEncoderSettings(kind="pixels"))
    with pytest.raises(UserError, match="no weights to start from"):
        start_from(build_encoder(OURS, seed=1), OURS, tmp_path)
