import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from pipeline.models.gaze_masking import mask_patches
from pipeline.settings.methods import CxrMimSettings
from pipeline.tasks.gaze_weights import cell_weights, hidden_patches, hidden_share

SCALES = (4.0, 2.0, 1.0, 0.5)
ROWS, PATCH = 4, 16
SIDE = ROWS * PATCH


def method(**changes: object) -> CxrMimSettings:
    return CxrMimSettings.model_validate({"kind": "cxr_mim"} | changes)


def hide(seed: int, images: int = 3, rows: int = ROWS) -> Tensor:
    """Return three quarters of the patches of some images, drawn at random."""
    noise = torch.rand(images, rows**2, generator=torch.Generator().manual_seed(seed))
    clinical = torch.zeros(images, rows**2, dtype=torch.bool)
    return hidden_patches(mask_patches(clinical, noise, int(rows**2 * 0.75), 0.5)[1], rows)


def look(seed: int, images: int = 3, side: int = SIDE) -> Tensor:
    """Return smooth gaze maps; nobody looked at the first image."""
    coarse = torch.rand(images, 1, 5, 5, generator=torch.Generator().manual_seed(seed))
    maps = functional.interpolate(coarse, size=(side, side), mode="bilinear")
    maps[0] = 0
    return maps / maps.amax((1, 2, 3), keepdim=True).clamp(min=1e-6)


def weigh(hidden: Tensor, gaze: Tensor | None, scale: float, settings: CxrMimSettings, patch: int = PATCH) -> Tensor:
    return cell_weights(hidden, gaze, round(patch / scale), scale, settings)


def test_a_hidden_patch_hides_its_cells() -> None:
    hidden = torch.tensor([[[True, False], [False, True]]])
    assert hidden_share(hidden, 1).tolist() == [[1, 0, 0, 1]]
    finer = hidden_share(hidden, 2).view(4, 4)
    assert finer.tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    assert hidden_share(hidden, 4).sum().item() == 32
    assert hidden_share(hidden, 0.5).tolist() == [[0.5]]


def test_hidden_patches_are_laid_out_row_by_row() -> None:
    assert hidden_patches(torch.tensor([[1, 2], [0, 3]]), 2).tolist() == [
        [[False, True], [True, False]],
        [[True, False], [False, True]],
    ]


@pytest.mark.parametrize("scale", SCALES)
@given(seed=st.integers(0, 50), strength=st.floats(0, 5), temperature=st.floats(0.02, 2))
def test_the_weights_of_every_image_have_the_same_total(
    scale: float, seed: int, strength: float, temperature: float
) -> None:
    hidden, gaze = hide(seed), look(seed + 1)
    number = 0.75 * ROWS**2 * scale**2
    totals = {"off": number, "published": number + 1, "rescaled": number * (1 + strength)}
    for weighting, total in totals.items():
        settings = method(gaze_weighting=weighting, gaze_strength=strength, gaze_temperature=temperature)
        weights = weigh(hidden, gaze, scale, settings)
        assert weights.shape == (3, round(ROWS**2 * scale**2))
        np.testing.assert_allclose(weights.sum(1).numpy(), total, rtol=1e-5)


@pytest.mark.parametrize("scale", SCALES)
def test_rescaled_weights_are_those_of_the_formula(scale: float) -> None:
    hidden, gaze = hide(5), look(6)
    settings = method(gaze_strength=1.5, gaze_temperature=0.2)
    cells = round(ROWS * scale)
    blocks = gaze.double().numpy().reshape(3, cells, SIDE // cells, cells, SIDE // cells)
    looked = np.exp(blocks.mean((2, 4)) / 0.2)
    share = hidden_share(hidden, scale).double().numpy().reshape(3, cells, cells)
    masked = share * looked
    number, total = (part.sum((1, 2), keepdims=True) for part in (share, masked))
    expected = share + 1.5 * number * masked / total
    np.testing.assert_allclose(weigh(hidden, gaze, scale, settings).numpy(), expected.reshape(3, -1), rtol=1e-4)


@pytest.mark.parametrize("scale", SCALES)
def test_without_strength_rescaled_weights_are_those_that_are_off(scale: float) -> None:
    hidden, gaze = hide(1), look(2)
    assert torch.equal(
        weigh(hidden, gaze, scale, method(gaze_strength=0)),
        weigh(hidden, None, scale, method(gaze_weighting="off")),
    )


@pytest.mark.parametrize("scale", SCALES)
def test_an_image_without_gaze_has_weights_that_gaze_does_not_shape(scale: float) -> None:
    hidden, gaze = hide(3), look(4)
    settings = method(gaze_strength=0.7)
    weights, share = weigh(hidden, gaze, scale, settings), hidden_share(hidden, scale)
    torch.testing.assert_close(weights[0], 1.7 * share[0])
    assert not torch.allclose(weights[1], 1.7 * share[1], rtol=0.05)


@pytest.mark.parametrize("scale", SCALES)
def test_where_was_looked_longer_a_hidden_cell_counts_more_and_visible_ones_nothing(scale: float) -> None:
    hidden, gaze = hide(7), look(8)
    weights, share = weigh(hidden, gaze, scale, method()), hidden_share(hidden, scale)
    assert bool((weights[share == 0] == 0).all())
    looked = functional.avg_pool2d(gaze, round(PATCH / scale)).flatten(1)
    whole = share[1] == 1
    assert torch.equal(weights[1, whole].argsort(), looked[1, whole].argsort())


def test_published_weights_let_gaze_count_next_to_nothing() -> None:
    hidden, gaze = hide(9, rows=14), look(10, side=224)
    shares = []
    for scale in SCALES:
        published = weigh(hidden, gaze, scale, method(gaze_weighting="published"))
        of_gaze = published - hidden_share(hidden, scale)
        shares.append(100 * (of_gaze.sum(1) / published.sum(1)).mean().item())
        assert bool((published > 0).all())  # visible cells count too
    np.testing.assert_allclose(shares, [0.04, 0.17, 0.68, 2.65], atol=0.006)


def test_published_weights_are_those_of_the_formula() -> None:
    hidden = torch.tensor([[[True, False], [True, True]]])
    gaze = torch.zeros(1, 1, 4, 4)
    gaze[..., :2, :2], gaze[..., 2:, 2:] = 0.5, 1.0
    gaze[..., :2, 2:] = 0.9  # looked at, but visible
    exponentials = [math.exp(5), 1.0, 1.0, math.exp(10)]
    expected = [1 + exponentials[0] / sum(exponentials), 1 / sum(exponentials)]
    expected += [1 + 1 / sum(exponentials), 1 + exponentials[3] / sum(exponentials)]
    weights = cell_weights(hidden, gaze, 2, 1.0, method(gaze_weighting="published"))
    np.testing.assert_allclose(weights[0].numpy(), expected, rtol=1e-5)
