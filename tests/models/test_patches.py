import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.patches import sincos_positions, take, to_images, to_patches


@pytest.mark.parametrize("channels", [1, 3])
def test_patches_and_images_are_two_views_of_the_same_pixels(channels: int) -> None:
    images = torch.rand(2, channels, 48, 48)
    patches = to_patches(images, 16)
    assert patches.shape == (2, 9, 256 * channels)
    assert torch.equal(to_images(patches, 16, channels), images)


def test_a_patch_is_laid_out_by_row_then_column_then_channel() -> None:
    images = torch.rand(1, 3, 32, 48)
    patches = to_patches(images, 16)
    for row, column, channel in [(0, 0, 0), (0, 0, 2), (0, 1, 0), (3, 5, 1), (15, 15, 2)]:
        place = (row * 16 + column) * 3 + channel
        assert (
            patches[0, 4, place] == images[0, channel, 16 + row, 16 + column]
        )  # second row of patches, second of three


@pytest.mark.parametrize(("dimension", "value"), [(0, -0.958924), (192, 0.283662), (384, 0.909297), (576, -0.416147)])
def test_positions_of_row_2_and_column_5_are_the_golden_values(dimension: int, value: float) -> None:
    positions = sincos_positions(768, 14)
    assert positions.shape == (1, 197, 768)
    assert float(positions[0, 1 + 2 * 14 + 5, dimension]) == pytest.approx(value, abs=1e-6)


def test_the_class_token_has_no_position() -> None:
    assert not sincos_positions(768, 14)[0, 0].any()


@given(st.integers(1, 4), st.integers(1, 12), st.data())
def test_taking_tokens_is_indexing_each_image_by_its_own_places(batch: int, count: int, data: st.DataObject) -> None:
    rows = st.lists(st.integers(0, count - 1), min_size=3, max_size=3)
    places = torch.tensor(data.draw(st.lists(rows, min_size=batch, max_size=batch)))
    sequence = torch.arange(batch * count * 2).reshape(batch, count, 2)
    expected = np.stack([image[chosen] for image, chosen in zip(sequence.numpy(), places.numpy(), strict=True)])
    np.testing.assert_array_equal(take(sequence, places).numpy(), expected)
    np.testing.assert_array_equal(take(sequence[:1], places).numpy(), sequence[0].numpy()[places.numpy()])
