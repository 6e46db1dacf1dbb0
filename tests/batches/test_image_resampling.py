from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.batches.planes import Planes
from pipeline.batches.resampling import Interpolation, Windows, resample
from pipeline.models import torchvision_operators

HEIGHT, WIDTH = 97, 131
NOISE = torch.randint(0, 256, (1, 2, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
INTERPOLATIONS: tuple[Interpolation, ...] = ("nearest", "bilinear", "bicubic")
Crop = tuple[int, int, int, int]


def window(crop: Crop, mirrored: bool = False) -> Windows:
    left, top, width, height = (torch.tensor([float(edge)], dtype=torch.float64) for edge in crop)
    return Windows(left / WIDTH, top / HEIGHT, width / WIDTH, height / HEIGHT, torch.tensor([mirrored]))


@st.composite
def crops(draw: st.DrawFn) -> Crop:
    left, top = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    return left, top, draw(st.integers(1, WIDTH - left)), draw(st.integers(1, HEIGHT - top))


@given(crop=crops(), side=st.integers(1, 150), mode=st.sampled_from(["bilinear", "bicubic"]))
def test_a_window_of_whole_pixels_is_torchvisions_antialiased_resized_crop(
    crop: Crop, side: int, mode: Literal["bilinear", "bicubic"]
) -> None:
    torchvision_operators.declare_when_missing()
    from torchvision.transforms.v2 import InterpolationMode
    from torchvision.transforms.v2.functional import resized_crop

    left, top, width, height = crop
    unit = NOISE.float() / 255
    expected = resized_crop(unit, top, left, height, width, [side, side], InterpolationMode(mode), antialias=True)
    result = resample(Planes.of(NOISE), window(crop), side, mode)
    torch.testing.assert_close(result, expected.clamp(0, 1), rtol=0, atol=3e-5)


@given(crop=crops(), side=st.integers(1, 150))
def test_nearest_takes_the_pixel_under_each_centre(crop: Crop, side: int) -> None:
    left, top, width, height = crop
    rows = np.floor(top + (np.arange(side) + 0.5) * height / side + 1e-6).astype(int)
    columns = np.floor(left + (np.arange(side) + 0.5) * width / side + 1e-6).astype(int)
    expected = NOISE[:, :, rows][..., columns].float() / 255
    assert torch.equal(resample(Planes.of(NOISE), window(crop), side, "nearest"), expected)


@pytest.mark.parametrize("side", [24, 97, 200])
def test_nearest_agrees_with_torch(side: int) -> None:
    expected = functional.interpolate(NOISE.float() / 255, size=(side, side), mode="nearest-exact")
    assert torch.equal(resample(Planes.of(NOISE), Windows.whole(1), side, "nearest"), expected)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_a_mirrored_window_is_the_mirrored_result(interpolation: Interpolation) -> None:
    crop = (11, 5, 90, 70)
    upright = resample(Planes.of(NOISE), window(crop), 48, interpolation)
    assert torch.equal(resample(Planes.of(NOISE), window(crop, mirrored=True), 48, interpolation), upright.flip(3))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_an_image_of_the_right_size_stays_as_it_is(interpolation: Interpolation) -> None:
    square = NOISE[..., :HEIGHT].contiguous()
    assert torch.equal(resample(Planes.of(square), Windows.whole(1), HEIGHT, interpolation), square.float() / 255)


def padded(image: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.pad(image, (0, size[1] - image.shape[-1], 0, size[0] - image.shape[-2]), value=255)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_neither_padding_nor_other_images_of_the_batch_show(interpolation: Interpolation) -> None:
    images = [NOISE[:, :, :40, :50], NOISE[:, :, 9:90, 30:70], NOISE[:, :, :, ::5]]
    sizes = torch.tensor([image.shape[-2:] for image in images])
    together = Planes.unreduced(torch.cat([padded(image, (97, 50)) for image in images]), sizes)
    results = resample(together, Windows.whole(3), 32, interpolation)
    for result, image in zip(results, images, strict=True):
        alone = resample(Planes.of(image.contiguous()), Windows.whole(1), 32, interpolation)
        assert torch.equal(result, alone[0])


@given(
    edges=st.tuples(st.floats(0, 0.99), st.floats(0, 0.99), st.floats(1e-4, 1), st.floats(1e-4, 1)),
    side=st.integers(1, 64),
    interpolation=st.sampled_from(INTERPOLATIONS),
)
def test_any_window_of_a_gray_image_is_gray(
    edges: tuple[float, float, float, float], side: int, interpolation: Interpolation
) -> None:
    left, top, width, height = (torch.tensor([edge], dtype=torch.float64) for edge in edges)
    windows = Windows(left, top, width.minimum(1 - left), height.minimum(1 - top), torch.tensor([False]))
    gray = Planes.of(torch.full((1, 1, 30, 20), 51, dtype=torch.uint8))
    result = resample(gray, windows, side, interpolation)
    torch.testing.assert_close(result, torch.full((1, 1, side, side), 0.2), rtol=0, atol=1e-6)


class Largest(TorchDispatchMode):
    """Note the largest size in bytes of what any operation returns."""

    size = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = operation(*args, **kwargs or {})
        if isinstance(result, Tensor):
            self.size = max(self.size, result.nbytes)
        return result


def test_one_odd_film_does_not_fill_a_device_with_the_whole_batch() -> None:
    count, side, odd = 1024, 256, 2560
    sizes = torch.full((count, 2), side)
    sizes[700, 0] = odd
    canvas = torch.empty(count, 1, odd, side, dtype=torch.uint8, device="meta")
    with Largest() as largest:
        result = resample(Planes.unreduced(canvas, sizes), Windows.whole(count), 8, "bilinear")
    assert result.shape == (count, 1, 8, 8)
    assert canvas.nbytes == largest.size == 4 * 256 * odd * side


def test_reduced_precision_of_the_training_step_does_not_reach_the_images() -> None:
    expected = resample(Planes.of(NOISE), Windows.whole(1), 48, "bicubic")
    with torch.autocast("cpu", torch.bfloat16):
        result = resample(Planes.of(NOISE), Windows.whole(1), 48, "bicubic")
    assert torch.equal(result, expected)
