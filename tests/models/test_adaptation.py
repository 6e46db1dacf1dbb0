from typing import Any

import pytest
import torch
from conftest import IMAGENET, TINY_ENCODER
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from torch import Tensor

from pipeline.models.adaptation import Shape, adapt, shape_of
from pipeline.models.encoder import build_encoder, normalise
from pipeline.records.errors import UserError
from pipeline.settings.encoder import EncoderSettings


def shaped(**changes: Any) -> EncoderSettings:
    return EncoderSettings.model_validate({**TINY_ENCODER, **changes})


def weights_of(settings: EncoderSettings) -> dict[str, Tensor]:
    """Return weights whose every part matters, biases too, which fresh encoders have at zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        encoder = build_encoder(settings, seed=0)
        torch.nn.init.normal_(encoder.patch_embed.proj.bias, std=0.5)
    return dict(encoder.double().state_dict())


def features(state: dict[str, Tensor], settings: EncoderSettings, pixels: Tensor) -> Tensor:
    encoder = build_encoder(settings, seed=5).double()
    encoder.load_state_dict(state)
    with torch.no_grad():
        tokens: Tensor = encoder.eval().forward_features(normalise(pixels, settings))
    return tokens


def gray(side: int) -> Tensor:
    return torch.rand(2, 1, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def normalisations(channels: int) -> st.SearchStrategy[dict[str, Any]]:
    means, stds = st.floats(0, 1), st.floats(0.05, 2)
    of_each = [st.tuples(*[numbers] * 3) for numbers in (means, stds)] if channels == 3 else [means, stds]
    mean, std = (st.one_of(alike, own) for alike, own in zip((means, stds), of_each, strict=True))
    return st.fixed_dictionaries({"channels": st.just(channels), "mean": mean, "std": std})


@example_settings(max_examples=25)
@given(
    source=st.sampled_from([1, 3]).flatmap(normalisations),
    target=st.sampled_from([1, 3]).flatmap(normalisations),
)
def test_features_of_a_gray_image_are_equal_under_any_channels_and_normalisation(
    source: dict[str, Any], target: dict[str, Any]
) -> None:
    theirs, ours = shaped(**source), shaped(**target)
    state = weights_of(theirs)
    pixels = gray(32)
    expected = features(state, theirs, pixels)
    torch.testing.assert_close(features(adapt(state, theirs, ours), ours, pixels), expected, rtol=1e-9, atol=1e-9)


def test_colour_images_keep_their_features_under_another_normalisation_of_the_same_channels() -> None:
    theirs, ours = shaped(**IMAGENET), shaped(channels=3, mean=0.5, std=0.25)
    colours = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    state = weights_of(theirs)
    expected = features(state, theirs, colours)
    torch.testing.assert_close(features(adapt(state, theirs, ours), ours, colours), expected)


def test_weights_for_the_same_input_come_back_bit_for_bit() -> None:
    settings = shaped(**IMAGENET)
    state = {name: tensor.float() for name, tensor in weights_of(settings).items()}
    adapted = adapt(state, settings, settings)
    assert list(adapted) == list(state)
    assert all(torch.equal(adapted[name], tensor) for name, tensor in state.items())


def test_the_weights_given_are_left_as_they_were() -> None:
    theirs, ours = shaped(**IMAGENET), shaped(image_size=64)
    state = weights_of(theirs)
    before = {name: tensor.clone() for name, tensor in state.items()}
    adapt(state, theirs, ours)
    assert all(torch.equal(state[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("side", [16, 48, 64])
def test_positions_of_another_image_size_keep_the_class_tokens_and_the_course_over_the_image(side: int) -> None:
    theirs, ours = shaped(), shaped(image_size=side)
    state = weights_of(theirs)
    columns = (torch.arange(4, dtype=torch.float64) + 0.5) / 4
    state["pos_embed"][0, 1:, 0] = columns.repeat(4)  # a ramp from left to right, the same in every row
    adapted = adapt(state, theirs, ours)["pos_embed"]
    assert adapted.shape == (1, 1 + ours.rows**2, 24)
    assert torch.equal(adapted[:, 0], state["pos_embed"][:, 0])
    ramp = adapted[0, 1:, 0].reshape(ours.rows, ours.rows)
    expected = (torch.arange(ours.rows, dtype=torch.float64) + 0.5) / ours.rows
    torch.testing.assert_close(ramp, expected.expand_as(ramp), rtol=0, atol=0.05)


def test_adapted_weights_of_another_image_size_fit_the_target() -> None:
    theirs, ours = shaped(**IMAGENET), shaped(image_size=48)
    assert features(adapt(weights_of(theirs), theirs, ours), ours, gray(48)).isfinite().all()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"architecture": "vit_small_patch16_224"}, "architecture vit_small_patch16_224"),
        ({"width": 48}, "width 48"),
        ({"depth": 3}, "depth 3"),
        ({"heads": 4}, "heads 4"),
        ({"patch_size": 16}, "patch size 16"),
    ],
)
def test_what_cannot_be_converted_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named):
        adapt(weights_of(shaped()), shaped(), shaped(**changes))


def test_an_architectures_own_numbers_equal_the_same_numbers_given() -> None:
    given_ones = EncoderSettings(architecture="vit_tiny_patch16_224", width=192, depth=12, heads=3)
    assert shape_of(EncoderSettings(architecture="vit_tiny_patch16_224")) == shape_of(given_ones)
    assert shape_of(given_ones) == Shape("vit_tiny_patch16_224", 192, 12, 3, 16)
