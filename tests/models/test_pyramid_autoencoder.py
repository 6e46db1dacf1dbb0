from typing import Any

import pytest
import torch
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn

from pipeline.models.encoder import build_encoder
from pipeline.models.hog import hog_pyramid
from pipeline.models.patches import to_images, to_patches
from pipeline.models.pyramid_autoencoder import PyramidAutoencoder
from pipeline.models.pyramid_decoder import build_head
from pipeline.records.errors import UserError
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.methods import CxrMimSettings

SCALES = (4.0, 2.0, 1.0, 0.5)


def encoder_settings(**changed: Any) -> EncoderSettings:
    tiny = {"image_size": 64, "patch_size": 8, "width": 24, "depth": 4, "heads": 2}
    return EncoderSettings(architecture="vit_tiny_patch16_224", **tiny | changed)


def method_settings(**changed: Any) -> CxrMimSettings:
    tiny = {"kind": "cxr_mim", "taps": (0, 1, 2, 3), "decoder_width": 16, "decoder_heads": 2}
    return CxrMimSettings.model_validate(tiny | changed)


def autoencoder(seed: int = 0, **changed: Any) -> PyramidAutoencoder:
    return PyramidAutoencoder(encoder_settings(**changed), method_settings(), seed)


def drawn_masks(images: int, patches: int, seen: int) -> tuple[Tensor, Tensor]:
    order = torch.rand(images, patches, generator=torch.Generator().manual_seed(0)).argsort(dim=1)
    return order[:, :seen].sort(dim=1).values, order[:, seen:].sort(dim=1).values


def without_attention(model: PyramidAutoencoder) -> PyramidAutoencoder:
    """Keep tokens from telling each other anything, so that each decides its own cells alone."""
    for name, layer in model.named_modules():
        if name.endswith("attn.proj"):
            nn.init.zeros_(layer.weight)
    return model


def cells_of(patch: int, predicted: Tensor, rows: int) -> Tensor:
    """Return the histograms, of [B, cells, bins], of the cells inside a patch, or of the one that it lies in."""
    side = round(predicted.shape[1] ** 0.5)
    (top, bottom), (left, right) = ((at * side // rows, -(-(at + 1) * side // rows)) for at in divmod(patch, rows))
    return predicted.unflatten(1, (side, side))[:, top:bottom, left:right]


@pytest.mark.parametrize(
    ("image_size", "patch_size", "channels", "cells"),
    [(224, 16, 3, [3136, 784, 196, 49]), (64, 8, 1, [1024, 256, 64, 16])],
)
def test_each_scale_is_predicted_in_the_shape_of_its_target(
    image_size: int, patch_size: int, channels: int, cells: list[int]
) -> None:
    model = autoencoder(image_size=image_size, patch_size=patch_size, channels=channels)
    images = torch.rand(2, channels, image_size, image_size)
    predicted = model(images, *drawn_masks(2, model.rows**2, model.rows**2 // 4))
    targets = hog_pyramid(images[:, :1], 9, "linear", [round(patch_size / scale) for scale in SCALES])
    assert [scale.shape[1] for scale in predicted] == cells
    assert [scale.shape for scale in predicted] == [target.repeat(1, 1, channels).shape for target in targets]


@pytest.mark.parametrize(("number", "scale"), list(enumerate(SCALES)))
def test_what_is_known_of_a_patch_lands_in_its_own_cells(number: int, scale: float) -> None:
    model = without_attention(autoencoder(image_size=32))
    visible, masked = drawn_masks(1, 16, 6)
    image = torch.rand(1, 1, 32, 32, requires_grad=True)
    positions = model.decoders[number].positions.requires_grad_()
    predicted = model(image, visible, masked)[number]
    for patch in range(16):
        cells = cells_of(patch, predicted, rows=4).square().sum()
        of_image, of_positions = torch.autograd.grad(cells, (image, positions), retain_graph=True)
        together = of_positions[0, 1:].any(dim=-1).nonzero().flatten().tolist()
        assert patch in together
        assert len(together) == (4 if scale == 0.5 else 1)
        seen = to_patches(of_image, 8)[0].any(dim=-1).nonzero().flatten().tolist()
        assert seen == [other for other in together if other in visible[0]]


def test_the_order_in_which_patches_are_named_changes_nothing() -> None:
    model, images = autoencoder(), torch.rand(2, 1, 64, 64)
    visible, masked = drawn_masks(2, 64, 16)
    expected = model(images, visible, masked)
    for ours, theirs in zip(model(images, visible.flip(1), masked.flip(1)), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_prediction_does_not_depend_on_what_is_hidden() -> None:
    model = autoencoder()
    images, (visible, masked) = torch.rand(2, 1, 64, 64), drawn_masks(2, 64, 16)
    patches = to_patches(images, 8)
    patches[torch.arange(2)[:, None], masked] = 7.0
    expected = model(images, visible, masked)
    for ours, theirs in zip(model(to_images(patches, 8, 1), visible, masked), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_last_tap_is_what_the_published_encoder_returns() -> None:
    model = autoencoder().eval()
    images, everything = torch.rand(2, 1, 64, 64), torch.arange(64).expand(2, -1)
    received: list[Tensor] = []
    model.decoders[-1].register_forward_hook(lambda _, inputs, __: received.append(inputs[0]))
    model(images, everything, everything[:, :0])
    torch.testing.assert_close(received[0], model.encoder.forward_features(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("taps", [(0, 1, 2, 5), (1, 2, 4, 5)])
@torch.no_grad()
def test_each_decoder_is_given_the_output_of_its_own_block_through_its_own_norm(taps: tuple[int, ...]) -> None:
    model = PyramidAutoencoder(encoder_settings(depth=6), method_settings(taps=taps), seed=0)
    norms = [*model.norms, model.encoder.norm]
    for norm in norms:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    outputs: list[Tensor] = []
    received: list[Tensor] = []
    for block in model.encoder.blocks:
        block.register_forward_hook(lambda _, __, output: outputs.append(output))
    for decoder in model.decoders:
        decoder.register_forward_pre_hook(lambda _, inputs: received.append(inputs[0]))
    model(torch.rand(2, 1, 64, 64), *drawn_masks(2, 64, 16))
    for tap, norm, tokens in zip(taps, norms, received, strict=True):
        torch.testing.assert_close(tokens, norm(outputs[tap]))


@torch.no_grad()
def test_the_model_compiles_as_one_graph() -> None:
    model, given = autoencoder(), (torch.rand(2, 1, 64, 64), *drawn_masks(2, 64, 16))
    with torch.autocast("cpu", torch.bfloat16):
        expected = model(*given)
        model.compile(backend="eager", fullgraph=True)
        for ours, theirs in zip(model(*given), expected, strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("depth", "heads"), [(1, 2), (3, 4)])
def test_decoders_have_the_blocks_and_heads_of_the_settings(depth: int, heads: int) -> None:
    method = method_settings(decoder_depth=depth, decoder_heads=heads)
    for decoder in PyramidAutoencoder(encoder_settings(), method, seed=0).decoders:
        assert [block.attn.num_heads for block in decoder.blocks] == [heads] * depth


def test_every_weight_but_the_fixed_positions_is_trained() -> None:
    model = autoencoder()
    predicted = model(torch.rand(2, 1, 64, 64), *drawn_masks(2, 64, 16))
    torch.stack([scale.square().mean() for scale in predicted]).sum().backward()
    untrained = {name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()}
    assert untrained == {"encoder.pos_embed", *(f"decoders.{number}.positions" for number in range(4))}


def test_weights_carry_the_names_of_timm_and_of_the_decoders() -> None:
    model = autoencoder()
    names = dict(model.named_parameters()).keys()
    encoder = {name.removeprefix("encoder.") for name in names if name.startswith("encoder.")}
    assert encoder == dict(build_encoder(encoder_settings(), seed=0).named_parameters()).keys()
    parts = {name.split(".")[2] for name in names if name.startswith("decoders.")}
    assert parts == {"embed", "mask_token", "positions", "blocks", "norm", "head"}
    assert {name for name in names if name.startswith("norms.")} == {
        f"norms.{tap}.{part}" for tap in range(3) for part in ("weight", "bias")
    }


@pytest.mark.parametrize(
    ("scale", "layers", "weights"),
    [
        (
            4.0,
            [nn.ConvTranspose2d, LayerNorm2d, nn.GELU, nn.ConvTranspose2d, nn.Conv2d],
            [(256, 128, 2, 2), (128,), (128, 64, 2, 2), (27, 64, 1, 1)],
        ),
        (2.0, [nn.ConvTranspose2d, nn.Conv2d], [(256, 128, 2, 2), (27, 128, 1, 1)]),
        (1.0, [nn.Conv2d], [(27, 256, 1, 1)]),
        (0.5, [nn.AvgPool2d, nn.Conv2d], [(27, 256, 1, 1)]),
    ],
)
def test_heads_have_the_published_layers(
    scale: float, layers: list[type[nn.Module]], weights: list[tuple[int, ...]]
) -> None:
    head = build_head(256, scale, 27)
    assert [type(layer) for layer in head] == layers
    assert [tuple(weight.shape) for name, weight in head.named_parameters() if name.endswith("weight")] == weights


def test_weights_depend_on_the_seed_alone_and_leave_the_global_generator_as_it_was() -> None:
    state = torch.random.get_rng_state()
    first, second, other = (autoencoder(seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)
    drawn = [name for name in first if name.endswith(("mask_token", "embed.weight", "head.0.weight"))]
    assert not any(torch.equal(first[name], other[name]) for name in drawn)


@pytest.mark.parametrize("taps", [(0, 1), (0, 11)])
def test_taps_that_do_not_end_with_the_last_block_are_refused(taps: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="end taps with 3, so that every block is trained"):
        PyramidAutoencoder(encoder_settings(), method_settings(taps=taps, scales=(2, 1)), seed=0)
