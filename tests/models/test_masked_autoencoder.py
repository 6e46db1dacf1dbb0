import numpy as np
import pytest
import torch

from pipeline.models.encoder import build_encoder
from pipeline.models.masked_autoencoder import MaskedAutoencoder, encode_visible
from pipeline.models.patches import sincos_positions, to_images, to_patches
from pipeline.settings.pretraining import EncoderSettings, MaskedAutoencoderSettings

TINY = {"architecture": "vit_tiny_patch16_224", "width": 24, "depth": 2, "heads": 2}


def autoencoder(mask_ratio: float) -> MaskedAutoencoder:
    settings = MaskedAutoencoderSettings(
        kind="mae", mask_ratio=mask_ratio, decoder_width=16, decoder_depth=1, decoder_heads=2
    )
    return MaskedAutoencoder(EncoderSettings(**TINY), settings, seed=0)


@pytest.mark.parametrize(("mask_ratio", "visible"), [(0.9, 19), (0.75, 49)])
def test_only_the_visible_patches_go_through_the_encoder(mask_ratio: float, visible: int) -> None:
    model = autoencoder(mask_ratio)
    lengths: list[int] = []
    model.encoder.blocks[0].register_forward_hook(lambda _, inputs, __: lengths.append(inputs[0].shape[1]))
    prediction = model(torch.rand(2, 1, 224, 224), torch.rand(2, 196))
    assert lengths == [visible + 1]  # and the class token
    assert prediction.predicted.shape == prediction.target.shape == (2, 196 - visible, 256)


def test_the_prediction_does_not_depend_on_what_is_hidden() -> None:
    model, noise = autoencoder(0.75), torch.rand(1, 196)
    images = torch.rand(1, 1, 224, 224)
    first = model(images, noise)
    patches = to_patches(images, 16)
    patches[0, first.masked[0]] = 7.0
    second = model(to_images(patches, 16, 1), noise)
    torch.testing.assert_close(second.predicted, first.predicted)
    assert (second.target == 7.0).all()


def test_the_encoder_sees_what_timm_sees_when_nothing_is_hidden() -> None:
    encoder = build_encoder(EncoderSettings(**TINY), seed=0).eval()
    images = torch.rand(2, 1, 224, 224)
    order = torch.stack([torch.randperm(196, generator=torch.Generator().manual_seed(k)) for k in range(2)])
    patches = to_patches(images, 16).gather(1, order.unsqueeze(-1).expand(-1, -1, 256))
    encoded = encode_visible(encoder, patches, order)
    expected = encoder.forward_features(images)
    torch.testing.assert_close(encoded[:, 0], expected[:, 0], rtol=1e-4, atol=1e-5)
    shuffled = expected[:, 1:].gather(1, order.unsqueeze(-1).expand(-1, -1, 24))
    torch.testing.assert_close(encoded[:, 1:], shuffled, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_patches_and_images_are_two_views_of_the_same_pixels(channels: int) -> None:
    images = torch.rand(2, channels, 48, 48)
    patches = to_patches(images, 16)
    assert patches.shape == (2, 9, 256 * channels)
    assert torch.equal(to_images(patches, 16, channels), images)
    assert patches[0, 5, channels] == images[0, 0, 16, 33]  # second row of patches, its last; second pixel


def test_positions_are_the_published_golden_values() -> None:
    positions = sincos_positions(768, 14)[0].numpy()
    assert positions.shape == (197, 768)
    np.testing.assert_allclose(
        positions[1 + 2 * 14 + 5, [0, 192, 384, 576]], [-0.958924, 0.283662, 0.909297, -0.416147], atol=1e-6
    )
    assert not positions[0].any()


def test_weights_depend_on_the_seed_alone_and_leave_the_global_generator_as_it_was() -> None:
    state = torch.random.get_rng_state()
    first, second, other = (build_encoder(EncoderSettings(**TINY), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.blocks[0].attn.qkv.weight, second.blocks[0].attn.qkv.weight)
    assert not torch.equal(first.blocks[0].attn.qkv.weight, other.blocks[0].attn.qkv.weight)
    assert torch.equal(torch.random.get_rng_state(), state)
