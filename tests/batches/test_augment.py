from dataclasses import replace

import numpy as np
import pytest
import torch
from augmented_batches import EVERYTHING, GEOMETRIES, HEIGHT, SIDE, WIDTH, batch_of, blob_batch, noise
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from pipeline.batches.augmentation import augment, plain
from pipeline.batches.augmentation.boxes import crop_boxes
from pipeline.batches.batch import Boxes, ImageBatch
from pipeline.batches.planes import Planes
from pipeline.batches.resampling import Windows
from pipeline.settings.augmentation import (
    AffineSettings,
    AugmentationSettings,
    BlurSettings,
    ErasingSettings,
    IntensitySettings,
)

ALL = AugmentationSettings(
    affine=AffineSettings(),
    intensity=IntensitySettings(gamma=0.3),
    blur=BlurSettings(probability=0.5),
    erasing=ErasingSettings(probability=0.5),
)
WHOLE = AugmentationSettings(crop_scale=(1.0, 1.0), crop_ratio=(WIDTH / HEIGHT, WIDTH / HEIGHT), flip=False)
FEW = hypothesis_settings(max_examples=30)
# Pixels by which a nearest mask misses its outline: half the diagonal of a crop's pixel, zoomed, and half a pixel.
ROUNDING = 0.5 * 2**0.5 * 1.4 + 0.5
SEEDS = st.integers(0, 10**6)


def mixed_sizes(places: list[int]) -> ImageBatch:
    """Return some of six images of six sizes, each on a canvas no larger than they need."""
    sizes = [(60, 70), (80, 64), (64, 64), (30, 90), (64, 100), (75, 33)]
    height, width = (max(sizes[place][axis] for place in places) for axis in (0, 1))
    images = [noise(6)[place, :, : sizes[place][0], : sizes[place][1]] for place in places]
    canvas = torch.stack(
        [functional.pad(image, (0, width - image.shape[2], 0, height - image.shape[1])) for image in images]
    )
    planes = Planes.unreduced(canvas, torch.tensor([sizes[place] for place in places]))
    indices = np.array(places)
    return ImageBatch(planes, np.full_like(indices, 2), indices, np.zeros_like(indices), masks=planes, gaze=planes)


@pytest.mark.parametrize("side", [32, 64])
def test_an_image_is_augmented_alike_in_any_batch(side: int) -> None:
    together = augment(mixed_sizes(list(range(6))), ALL, 1, side)
    for place in range(6):
        alone = augment(mixed_sizes([place]), ALL, 1, side)
        torch.testing.assert_close(alone.images[0], together.images[place], rtol=0, atol=1e-6)
        assert alone.masks is not None
        assert together.masks is not None
        assert torch.equal(alone.masks[0], together.masks[place])


def test_each_epoch_and_seed_varies_every_image_anew() -> None:
    def images(epoch: int, seed: int) -> Tensor:
        return augment(batch_of(noise(6), epoch), ALL, seed, SIDE).images

    first = images(0, 1)
    assert torch.equal(images(0, 1), first)
    for other in (images(1, 1), images(0, 2)):
        assert ((other - first).abs().amax((1, 2, 3)) > 0.05).all()


@FEW
@given(settings=EVERYTHING, seed=SEEDS, side=st.integers(2, 70))
def test_values_keep_their_ranges_under_any_settings(settings: AugmentationSettings, seed: int, side: int) -> None:
    boxes = None if settings.flip else blob_batch(4, square=True).boxes
    batch = replace(blob_batch(4, square=True), images=Planes.of(noise(4)), gaze=Planes.of(noise(4)), boxes=boxes)
    augmented = augment(batch, settings, seed, side)
    assert augmented.masks is not None
    assert augmented.gaze is not None
    values = [augmented.images, augmented.gaze]
    if augmented.boxes is not None:
        values += [augmented.boxes.corners, augmented.boxes.visible]
    for tensor in values:
        assert tensor.dtype == torch.float32
        assert tensor.min() >= 0
        assert tensor.max() <= 1
    assert augmented.images.shape == (4, 1, side, side)
    assert set(augmented.masks.unique().tolist()) <= {0.0, 1.0}


@FEW
@given(settings=GEOMETRIES, seed=SEEDS)
def test_a_gaze_map_goes_where_its_image_goes(settings: AugmentationSettings, seed: int) -> None:
    augmented = augment(batch_of(noise(3), gaze=noise(3)), settings, seed, SIDE)
    assert augmented.gaze is not None
    assert torch.equal(augmented.images, augmented.gaze)


@FEW
@given(settings=GEOMETRIES, seed=SEEDS)
def test_a_mask_goes_where_its_image_goes(settings: AugmentationSettings, seed: int) -> None:
    augmented = augment(replace(blob_batch(4, square=False), boxes=None), settings, seed, SIDE)
    assert augmented.masks is not None
    for image, mask in zip(augmented.images[:, 0].numpy(), augmented.masks[:, 0].numpy() > 0, strict=True):
        outline = ndimage.binary_dilation(mask, iterations=2) & ~ndimage.binary_erosion(mask, iterations=2)
        assert ((image > 0.5) == mask)[~outline].all()
        framed = np.zeros_like(mask)
        framed[1:-1, 1:-1] = True
        if mask.any() and not (mask & ~framed).any():
            centres = ndimage.center_of_mass(image), ndimage.center_of_mass(mask)
            assert np.abs(np.subtract(*centres)).max() < 1


@FEW
@given(settings=GEOMETRIES.filter(lambda settings: not settings.flip), seed=SEEDS)
def test_a_box_stays_around_what_it_was_drawn_around(settings: AugmentationSettings, seed: int) -> None:
    augmented = augment(blob_batch(4, square=True), settings, seed, SIDE)
    assert augmented.masks is not None
    assert augmented.boxes is not None
    for mask, box, visible in zip(
        augmented.masks[:, 0].numpy() > 0,
        augmented.boxes.corners.numpy() * SIDE,
        augmented.boxes.visible.tolist(),
        strict=True,
    ):
        if visible == 0:
            assert not mask.any()
        elif mask.any():
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            around = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
            assert (box[:2] <= around[:2] + ROUNDING).all()
            assert (box[2:] >= around[2:] - ROUNDING).all()
            if visible > 0.9999:
                np.testing.assert_allclose(box, around, atol=2)


def test_a_mirrored_window_mirrors_its_boxes() -> None:
    corners = torch.tensor([[0.1, 0.2, 0.3, 0.6], [0.1, 0.2, 0.3, 0.6]])
    still = Windows.whole(2)
    moved = crop_boxes(
        Boxes(corners, torch.arange(2), ("a", "b")), replace(still, mirrored=torch.tensor([True, False]))
    )
    torch.testing.assert_close(moved.corners, torch.tensor([[0.7, 0.2, 0.9, 0.6], [0.1, 0.2, 0.3, 0.6]]))


def test_a_box_outside_its_crop_is_kept_and_marked() -> None:
    corners = torch.tensor([[0.0, 0.0, 0.02, 0.02], [0.0, 0.0, 1.0, 1.0]]).repeat(20, 1)
    boxes = Boxes(corners, torch.arange(20).repeat_interleave(2), ("tube", "film") * 20)
    settings = AugmentationSettings(crop_scale=(0.25, 0.25), crop_ratio=(1.0, 1.0), flip=False)
    moved = augment(batch_of(noise(20, 80, 80), boxes=boxes), settings, 0, SIDE).boxes
    assert moved is not None
    assert moved.labels == boxes.labels
    assert (moved.visible[0::2] == 0).sum() >= 15
    torch.testing.assert_close(moved.visible[1::2], torch.full((20,), 0.25), rtol=0, atol=1e-5)
    torch.testing.assert_close(moved.corners[1::2], torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(20, 4))


def test_what_crop_and_zoom_cut_off_a_box_adds_up() -> None:
    boxes = Boxes(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.zeros(1, dtype=torch.int64), ("film",))
    doubled = AffineSettings(probability=1.0, rotation=0.0, translation=0.0, zoom=(2.0, 2.0))
    settings = AugmentationSettings(crop_scale=(0.25, 0.25), crop_ratio=(1.0, 1.0), flip=False, affine=doubled)
    moved = augment(batch_of(noise(1, 80, 80), boxes=boxes), settings, 0, SIDE).boxes
    assert moved is not None
    assert moved.visible.tolist() == pytest.approx([0.25 * 0.25], abs=1e-5)


def test_a_whole_unflipped_crop_is_the_image() -> None:
    square = batch_of(noise(3, 64, 64))
    settings = AugmentationSettings(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip=False)
    unit = square.images.pixels.float() / 255
    assert torch.equal(augment(square, settings, 0, 64).images, unit)
    assert torch.equal(plain(square, 64).images, unit)


def test_an_unmoved_batch_is_the_same_whatever_could_have_moved_it() -> None:
    batch = blob_batch(3, square=True)
    never = WHOLE.model_copy(update={"affine": AffineSettings(probability=0.0)})
    moved, still = augment(batch, never, 0, SIDE), plain(batch, SIDE)
    assert moved.masks is not None
    assert still.masks is not None
    assert moved.boxes is not None
    assert still.boxes is not None
    assert batch.boxes is not None
    assert torch.equal(moved.images, still.images)
    assert torch.equal(moved.masks, still.masks)
    assert torch.equal(moved.boxes.corners, batch.boxes.corners)
    assert torch.equal(still.boxes.corners, batch.boxes.corners)
    assert still.boxes.visible.tolist() == pytest.approx([1.0] * 3)


def test_about_half_of_the_images_are_mirrored() -> None:
    settings = AugmentationSettings(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip=True)
    ramp = torch.arange(0, 256, 8, dtype=torch.uint8).expand(400, 1, 32, 32)
    mirrored = augment(batch_of(ramp), settings, 0, 32).images[:, 0, 0, 0] > 0.5
    assert 160 < int(mirrored.sum()) < 240


def test_turns_shifts_and_zooms_reach_as_far_as_asked_and_no_farther() -> None:
    count = 400
    point = torch.tensor([[0.745, 0.495, 0.755, 0.505]]).expand(count, 4)
    boxes = Boxes(point, torch.arange(count), ("mark",) * count)
    still = {"probability": 1.0, "rotation": 0.0, "translation": 0.0, "zoom": (1.0, 1.0)}

    def centres(**changed: object) -> np.ndarray:
        affine = AffineSettings.model_validate(still | changed)
        settings = AugmentationSettings(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip=False, affine=affine)
        moved = augment(batch_of(noise(count, 8, 8), boxes=boxes), settings, 0, 8).boxes
        assert moved is not None
        return ((moved.corners[:, :2] + moved.corners[:, 2:]) / 2 - 0.5).double().numpy()

    turned = centres(rotation=10.0)
    np.testing.assert_allclose(np.hypot(*turned.T), 0.25, atol=1e-4)
    degrees = np.degrees(np.arctan2(turned[:, 1], turned[:, 0]))
    assert (degrees.min(), degrees.max()) == (pytest.approx(-10, abs=0.3), pytest.approx(10, abs=0.3))
    shifted = centres(translation=0.1) - (0.25, 0)
    np.testing.assert_allclose(shifted.min(0), -0.1, atol=0.005)
    np.testing.assert_allclose(shifted.max(0), 0.1, atol=0.005)
    zoomed = centres(zoom=(0.8, 1.2))[:, 0] / 0.25
    assert (zoomed.min(), zoomed.max()) == (pytest.approx(0.8, abs=0.005), pytest.approx(1.2, abs=0.005))


def test_what_comes_in_from_beyond_the_film_is_black_and_no_structure() -> None:
    white = torch.full((8, 1, 32, 32), 255, dtype=torch.uint8)
    shrunk = AffineSettings(probability=1.0, rotation=0.0, translation=0.0, zoom=(0.5, 0.5))
    settings = AugmentationSettings(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), affine=shrunk)
    augmented = augment(batch_of(white, masks=white), settings, 0, 32)
    assert augmented.masks is not None
    for planes in (augmented.images, augmented.masks):
        assert (planes[..., 9:23, 9:23] == 1).all()
        assert (planes[..., :7, :] == 0).all()
        assert (planes[..., 25:] == 0).all()


def test_reduced_precision_of_the_training_step_does_not_reach_the_images() -> None:
    expected = augment(batch_of(noise(6)), ALL, 0, SIDE).images
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(augment(batch_of(noise(6)), ALL, 0, SIDE).images, expected)
