import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from pipeline.models.encoder import build_encoder
from pipeline.models.masked_encoding import encode_visible
from pipeline.models.patches import take, to_patches
from pipeline.settings.encoder import EncoderSettings

TOKENS = 1 + 16


def small_encoder(channels: int = 1) -> VisionTransformer:
    settings = EncoderSettings(
        architecture="vit_tiny_patch16_224", image_size=32, patch_size=8, width=24, depth=3, heads=2, channels=channels
    )
    return build_encoder(settings, seed=0).eval()


def shuffled_places() -> Tensor:
    return torch.stack([torch.randperm(16, generator=torch.Generator().manual_seed(seed)) for seed in range(2)])


@pytest.mark.parametrize("channels", [1, 3])
def test_the_encoder_sees_what_timm_sees_when_nothing_is_hidden(channels: int) -> None:
    encoder, places = small_encoder(channels), shuffled_places()
    images = torch.rand(2, channels, 32, 32)
    encoded = encode_visible(encoder, take(to_patches(images, 8), places), places).final
    expected = encoder.forward_features(images)
    torch.testing.assert_close(encoded[:, 0], expected[:, 0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(encoded[:, 1:], take(expected[:, 1:], places), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_gradient_of_the_patch_embedding_lies_in_memory_as_its_weight_does(channels: int) -> None:
    encoder, places = small_encoder(channels), shuffled_places()[:, :5]
    tokens = encode_visible(encoder, torch.rand(2, 5, channels * 64), places)
    weight = encoder.patch_embed.proj.weight
    (gradient,) = torch.autograd.grad(tokens.final.square().sum(), weight)
    assert gradient.stride() == weight.stride()


def test_taps_are_the_outputs_of_the_named_blocks_before_any_norm() -> None:
    encoder, places = small_encoder(), shuffled_places()[:, :5]
    patches = torch.rand(2, 5, 64)
    seen: dict[int, Tensor] = {}
    for number, block in enumerate(encoder.blocks):
        block.register_forward_hook(lambda _, __, output, number=number: seen.update({number: output}))
    tokens = encode_visible(encoder, patches, places, taps=(2, 0))
    assert [tap.shape for tap in tokens.taps] == [(2, 6, 24)] * 2
    assert torch.equal(tokens.taps[0], seen[2])
    assert torch.equal(tokens.taps[1], seen[0])
    assert torch.equal(tokens.final, encoder.norm(seen[2]))
