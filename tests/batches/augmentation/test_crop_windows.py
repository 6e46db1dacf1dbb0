import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.batches.augmentation.draws import Draws
from pipeline.batches.augmentation.windows import draw_windows
from pipeline.models import torchvision_operators
from pipeline.settings.augmentation import AugmentationSettings


def pixels(height: int, width: int, settings: AugmentationSettings, count: int = 2000) -> np.ndarray:
    """Draw crops of equal images; return top, left, height and width of each in pixels [count, 4]."""
    draws = Draws(0, np.zeros(count, np.int64), np.arange(count))
    windows = draw_windows(torch.tensor([[height, width]]).expand(count, 2), settings, draws)
    shares = torch.stack([windows.top, windows.left, windows.height, windows.width], dim=1).numpy()
    return shares * (height, width, height, width)


@pytest.mark.parametrize(("height", "width"), [(100, 160), (220, 140), (128, 128)])
def test_crops_are_distributed_as_torchvisions(height: int, width: int) -> None:
    torchvision_operators.declare_when_missing()
    from torchvision.transforms import RandomResizedCrop

    scale, ratio = (0.2, 0.9), (0.7, 1.5)
    torch.manual_seed(0)
    image = torch.empty(1, height, width)
    theirs = np.array([RandomResizedCrop.get_params(image, list(scale), list(ratio)) for _ in range(2000)])
    ours = pixels(height, width, AugmentationSettings(crop_scale=scale, crop_ratio=ratio))
    for own, other in zip(ours.T, theirs.T, strict=True):
        assert stats.ks_2samp(own.round(), other).pvalue > 0.001
    own_area, other_area = (crops[:, 2] * crops[:, 3] for crops in (ours, theirs))
    assert stats.ks_2samp(own_area, other_area).pvalue > 0.001


def test_crops_cover_the_areas_and_shapes_that_are_asked_for_in_pixels_of_the_image() -> None:
    crops = pixels(300, 400, AugmentationSettings(crop_scale=(0.4, 0.7), crop_ratio=(0.8, 1.25)))
    area, ratio = crops[:, 2] * crops[:, 3] / (300 * 400), crops[:, 3] / crops[:, 2]
    assert (area.min(), area.max()) == (pytest.approx(0.4, abs=0.01), pytest.approx(0.7, abs=0.01))
    assert (ratio.min(), ratio.max()) == (pytest.approx(0.8, abs=0.01), pytest.approx(1.25, abs=0.01))


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    scale=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    ratio=st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)).map(sorted),
)
def test_a_crop_is_of_whole_pixels_inside_its_image(
    height: int, width: int, scale: list[float], ratio: list[float]
) -> None:
    settings = AugmentationSettings(crop_scale=(scale[0], scale[1]), crop_ratio=(ratio[0], ratio[1]))
    crops = pixels(height, width, settings, count=20)
    np.testing.assert_allclose(crops, crops.round(), atol=1e-9)
    top, left, tall, wide = crops.round().T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (np.minimum(tall, wide) >= 1).all()
    assert (top + tall <= height).all()
    assert (left + wide <= width).all()


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(100, 10, (43, 0, 13, 10)), (10, 100, (0, 43, 10, 13)), (60, 60, (0, 0, 60, 60))]
)
def test_an_image_too_narrow_for_any_crop_is_cropped_at_its_centre(
    height: int, width: int, expected: tuple[int, int, int, int]
) -> None:
    torchvision_operators.declare_when_missing()
    from torchvision.transforms import RandomResizedCrop

    scale, ratio = (1.0, 1.0), (0.75, 1.3)
    crops = pixels(height, width, AugmentationSettings(crop_scale=scale, crop_ratio=ratio), count=1)
    theirs = RandomResizedCrop.get_params(torch.empty(1, height, width), list(scale), list(ratio))
    assert tuple(crops[0].round()) == expected == theirs


def test_crops_reach_every_edge_of_the_image() -> None:
    crops = pixels(10, 10, AugmentationSettings(crop_scale=(0.64, 0.64), crop_ratio=(1.0, 1.0)), count=200).round()
    assert set(crops[:, 0]) == set(crops[:, 1]) == {0.0, 1.0, 2.0}
