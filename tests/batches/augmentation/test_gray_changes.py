import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from pipeline.batches.augmentation.blur import blur
from pipeline.batches.augmentation.draws import Draws
from pipeline.batches.augmentation.erasing import erase
from pipeline.batches.augmentation.intensity import change_intensity
from pipeline.settings.augmentation import BlurSettings, ErasingSettings, IntensitySettings

COUNT = 60
DRAWS = Draws(0, np.zeros(COUNT, np.int64), np.arange(COUNT))
IMAGES = 0.3 + 0.4 * torch.rand(COUNT, 1, 40, 40, generator=torch.Generator().manual_seed(0))


def test_brightness_multiplies_all_gray_values() -> None:
    settings = IntensitySettings(probability=1.0, brightness=0.2, contrast=0.0)
    factors = (change_intensity(IMAGES, settings, DRAWS) / IMAGES).flatten(1)
    assert (factors.amax(1) - factors.amin(1)).max() < 1e-5
    assert (float(factors.min()), float(factors.max())) == (pytest.approx(0.8, abs=0.02), pytest.approx(1.2, abs=0.02))


def test_contrast_stretches_about_the_mean_which_stays() -> None:
    settings = IntensitySettings(probability=1.0, brightness=0.0, contrast=0.2)
    changed = change_intensity(IMAGES, settings, DRAWS)
    torch.testing.assert_close(changed.mean((1, 2, 3)), IMAGES.mean((1, 2, 3)), rtol=0, atol=1e-5)
    stretch = changed.std((1, 2, 3)) / IMAGES.std((1, 2, 3))
    assert (float(stretch.min()), float(stretch.max())) == (pytest.approx(0.8, abs=0.02), pytest.approx(1.2, abs=0.02))


def test_gamma_is_a_power_as_likely_to_brighten_as_to_darken() -> None:
    settings = IntensitySettings(probability=1.0, brightness=0.0, contrast=0.0, gamma=0.5)
    exponents = (change_intensity(IMAGES, settings, DRAWS).log() / IMAGES.log()).flatten(1)
    torch.testing.assert_close(exponents.amin(1), exponents.amax(1), rtol=1e-3, atol=1e-3)
    assert stats.kstest(exponents[:, 0].log().numpy(), stats.uniform(-0.5, 1).cdf).pvalue > 0.001


@pytest.mark.parametrize("sigma", [0.1, 0.8, 2.0])
def test_a_blur_is_scipys_gaussian_filter(sigma: float) -> None:
    settings = BlurSettings(probability=1.0, sigma=(sigma, sigma))
    expected = [ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=4.5) for image in IMAGES[:, 0].numpy()]
    np.testing.assert_allclose(blur(IMAGES, settings, DRAWS)[:, 0].numpy(), expected, atol=1e-4)


def test_each_image_is_blurred_by_its_own_width() -> None:
    settings = BlurSettings(probability=1.0, sigma=(0.3, 3.0))
    roughness = blur(IMAGES, settings, DRAWS).std((1, 2, 3)) / IMAGES.std((1, 2, 3))
    assert roughness.max() > 0.7
    assert roughness.min() < 0.15


def test_an_erased_rectangle_has_the_images_mean_and_the_size_asked_for() -> None:
    settings = ErasingSettings(probability=1.0, area=(0.1, 0.3), ratio=(0.5, 2.0))
    erased = erase(IMAGES, settings, DRAWS)
    for image, original in zip(erased[:, 0], IMAGES[:, 0], strict=True):
        painted = image != original
        rows, columns = painted.any(1).nonzero()[:, 0], painted.any(0).nonzero()[:, 0]
        height, width = len(rows), len(columns)
        assert painted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert 0.08 < height * width / 1600 < 0.34
        assert 0.4 < width / height < 2.5
        torch.testing.assert_close(image[painted], original.mean().expand(height * width), rtol=0, atol=1e-6)


def test_a_rectangle_too_long_for_the_square_keeps_its_area() -> None:
    settings = ErasingSettings(probability=1.0, area=(0.5, 0.5), ratio=(9.0, 10.0))
    painted = (erase(IMAGES, settings, DRAWS) != IMAGES).double().mean((1, 2, 3))
    torch.testing.assert_close(painted, torch.full_like(painted, 0.5), rtol=0, atol=0.03)


@pytest.mark.parametrize(
    ("settings", "change"),
    [(IntensitySettings(), change_intensity), (BlurSettings(), blur), (ErasingSettings(), erase)],
    ids=["intensity", "blur", "erasing"],
)
def test_the_share_asked_for_is_changed_and_the_others_are_untouched(settings: object, change: object) -> None:
    count = 600
    draws = Draws(3, np.zeros(count, np.int64), np.arange(count))
    images = IMAGES.repeat(count // COUNT, 1, 1, 1)
    untouched = (change(images, settings, draws) == images).flatten(1).all(1)  # type: ignore[operator]
    expected = settings.probability  # type: ignore[attr-defined]
    assert stats.binomtest(count - int(untouched.sum()), count, expected).pvalue > 0.001
