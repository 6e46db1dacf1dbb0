import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.batches.augmentation import augment, plain
from pipeline.batches.batch import Companions, ImageBatch
from pipeline.batches.planes import Planes
from pipeline.models.gaze_masking import clinical_patches, mask_patches, otsu_foreground
from pipeline.models.hog import hog_pyramid
from pipeline.records.errors import UserError
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.cxr_mim import CxrMim, PyramidPrediction
from pipeline.tasks.masked_autoencoding import mask_noise

METHOD = {
    "kind": "cxr_mim",
    "taps": [0, 1, 2, 3],
    "scales": [4, 2, 1, 0.5],
    "decoder_width": 16,
    "decoder_heads": 2,
}
WEIGHTINGS = ("off", "published", "rescaled")
CELLS = (2, 4, 8, 16)
CROPS = {"crop_scale": (0.3, 0.6), "flip": True}


@pytest.fixture
def batch() -> ImageBatch:
    """Return six smooth images of 36 by 42 pixels; somebody looked at a spot of each but the last."""
    coarse = torch.rand(6, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    pixels = (functional.interpolate(coarse, size=(36, 42), mode="bilinear") * 255).byte()
    rows, columns = torch.meshgrid(torch.arange(36), torch.arange(42), indexing="ij")
    centres = torch.tensor([[10.0, 12], [20, 30], [8, 33], [25, 10], [18, 21], [0, 0]])[..., None, None]
    gaze = 255 * torch.exp(-((rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2) / 128)
    gaze[5] = 0
    return ImageBatch(
        Planes.of(pixels),
        np.zeros(6, np.int64),
        np.arange(6),
        np.zeros(6, np.int64),
        gaze=Planes.of(gaze.byte()[:, None]),
        gazed=torch.arange(6) < 5,
    )


@pytest.fixture
def run(small_run: PretrainingSettings) -> PretrainingSettings:
    """Return a run of four small blocks, all of them tapped, on images that are not cropped."""
    return change(small_run, task=METHOD, encoder={"depth": 4}, augmentation={"crop_scale": (1.0, 1.0), "flip": False})


def change(settings: PretrainingSettings, **changes: dict[str, Any]) -> PretrainingSettings:
    """Return settings of which some blocks are changed; a task of another kind is replaced."""
    blocks = settings.model_dump()
    for name, block in changes.items():
        blocks[name] = block if "kind" in block else blocks[name] | block
    return PretrainingSettings.model_validate(blocks)


def clinical_in(gaze: Tensor | None, patch_size: int = 8) -> Tensor:
    """Return the clinical patches of heat maps."""
    assert gaze is not None
    return clinical_patches(otsu_foreground(gaze), patch_size)


def part(batch: ImageBatch, *places: int) -> ImageBatch:
    """Return some images of a batch that has gaze maps."""
    chosen = list(places)

    def planes(of: Planes) -> Planes:
        return Planes(of.pixels[chosen], of.sizes[chosen], of.extents[chosen])

    assert batch.gaze is not None
    assert batch.gazed is not None
    return ImageBatch(
        planes(batch.images),
        batch.epochs[chosen],
        batch.indices[chosen],
        batch.corpora[chosen],
        gaze=planes(batch.gaze),
        gazed=batch.gazed[chosen],
    )


def value(scalar: Tensor) -> float:
    return scalar.item()


def test_a_step_gives_the_loss_and_what_is_watched(batch: ImageBatch, run: PretrainingSettings) -> None:
    task = CxrMim(run)
    scalars = task(batch)
    assert set(scalars) == {"loss", *task.watched}
    assert scalars["loss"].shape == ()
    assert bool(scalars["loss"].isfinite())
    clinical = task.predict_fixed(batch).clinical.sum(1)
    assert value(scalars["gazed"]) == pytest.approx(5 / 6)
    assert value(scalars["clinical_patches"]) == pytest.approx(clinical.float().mean().item())
    assert bool((clinical[:5] > 0).all())
    assert clinical[5] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mask_ratio": 0.5},
        {"clinical_ratio": 0.0},
        {"clinical_ratio": 1.0, "mask_ratio": 0.4},
        {"binning": "hard"},
        {"orientations": 6},
        {"gaze_strength": 3.0, "gaze_temperature": 0.3},
    ],
    ids=str,
)
@torch.no_grad()
def test_a_training_step_sees_masks_and_predicts_the_crops_that_are_drawn(
    changes: dict[str, Any], batch: ImageBatch, run: PretrainingSettings
) -> None:
    task = CxrMim(change(run, task=METHOD | changes, encoder={"mean": 0.4, "std": 0.2}, augmentation=CROPS))
    seen: list[tuple[tuple[Tensor, ...], list[Tensor]]] = []
    task.model.register_forward_hook(lambda _, inputs, outputs: seen.append((inputs, outputs)))
    loss = task(batch)["loss"]
    ((images, visible, masked), predictions) = seen[0]

    crops = augment(batch, task.settings.augmentation, run.seed, 32)
    torch.testing.assert_close(images, (crops.images - 0.4) / 0.2)
    clinical, hidden = clinical_in(crops.gaze), int(16 * changes.get("mask_ratio", 0.75))
    assert not torch.equal(clinical, clinical_in(plain(batch, 32).gaze))
    noise = mask_noise(batch, 16, run.seed, "mask")
    drawn = mask_patches(clinical, noise, hidden, changes.get("clinical_ratio", 0.5))
    assert torch.equal(visible, drawn[0])
    assert torch.equal(masked, drawn[1])
    targets = hog_pyramid(crops.images, changes.get("orientations", 9), changes.get("binning", "linear"), CELLS)
    expected = PyramidPrediction(crops.images, crops.gaze, clinical, visible, masked, targets, predictions)
    assert value(loss) == pytest.approx(value(task.pyramid_loss(expected)), rel=1e-6)


@pytest.mark.parametrize("masking", ["gaze", "random"])
def test_training_masks_are_not_those_of_validation_even_in_its_epoch(
    masking: str, batch: ImageBatch, run: PretrainingSettings
) -> None:
    task = CxrMim(change(run, task=METHOD | {"masking": masking}))
    masks: list[Tensor] = []
    task.model.register_forward_hook(lambda _, inputs, __: masks.append(inputs[2]))
    task(batch)
    task.validate(batch)
    trained, validated = masks
    assert all(not torch.equal(one, other) for one, other in zip(trained, validated, strict=True))


@pytest.mark.parametrize("masking", ["gaze", "random"])
@torch.no_grad()
def test_49_of_196_patches_are_seen_whatever_was_looked_at(
    masking: str, batch: ImageBatch, run: PretrainingSettings
) -> None:
    whole = {"image_size": 224, "patch_size": 16}
    task = CxrMim(change(run, task=METHOD | {"masking": masking}, encoder=whole))
    lengths: list[int] = []
    task.encoder.blocks[0].register_forward_hook(lambda _, inputs, __: lengths.append(inputs[0].shape[1]))
    prediction = task.predict_fixed(part(batch, 0, 5))
    assert lengths == [1 + 49]
    assert prediction.visible.shape == (2, 49)
    assert prediction.masked.shape == (2, 147)
    assert bool(prediction.clinical[0].any()) == (masking == "gaze")
    patches = torch.cat([prediction.visible, prediction.masked], dim=1).sort(dim=1).values
    assert torch.equal(patches, torch.arange(196).expand(2, -1))


def test_gradients_reach_the_encoder_and_every_decoder(batch: ImageBatch, run: PretrainingSettings) -> None:
    task = CxrMim(run)
    task(batch)["loss"].backward()
    without = [
        name
        for name, parameter in task.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]
    assert without == []


def test_every_scale_has_a_prediction_and_a_target_for_each_of_its_cells(
    batch: ImageBatch, run: PretrainingSettings
) -> None:
    for channels in (1, 3):
        prediction = CxrMim(change(run, encoder={"channels": channels})).predict_fixed(batch)
        cells = [256, 64, 16, 4]
        assert [tuple(target.shape) for target in prediction.targets] == [(6, count, 9) for count in cells]
        assert [tuple(made.shape) for made in prediction.predictions] == [(6, count, 9 * channels) for count in cells]


def test_validation_has_the_same_masks_each_time_and_training_new_ones(
    batch: ImageBatch, run: PretrainingSettings
) -> None:
    task = CxrMim(run)
    assert value(task.validate(batch)["loss"]) == value(task.validate(batch)["loss"])
    assert value(task(batch)["loss"]) == value(task(batch)["loss"])
    assert value(task(batch)["loss"]) != value(task(replace(batch, epochs=batch.epochs + 1))["loss"])


def test_masks_belong_to_images_not_to_batches(batch: ImageBatch, run: PretrainingSettings) -> None:
    task = CxrMim(run)
    together, alone = task.predict_fixed(batch), task.predict_fixed(part(batch, 2))
    assert torch.equal(together.visible[2:3], alone.visible)
    assert torch.equal(together.masked[2:3], alone.masked)


def test_masks_are_drawn_from_the_gaze_of_what_the_network_sees(batch: ImageBatch, run: PretrainingSettings) -> None:
    prediction = CxrMim(run).predict_fixed(batch)
    noise = mask_noise(batch, 16, run.seed, "validation mask")
    visible, masked = mask_patches(prediction.clinical, noise, 12, 0.5)
    assert torch.equal(prediction.visible, visible)
    assert torch.equal(prediction.masked, masked)
    squares = plain(batch, 32)
    assert prediction.gaze is not None
    assert squares.gaze is not None
    assert torch.equal(prediction.gaze, squares.gaze)
    looked = functional.avg_pool2d(squares.gaze, 8).flatten(1)
    for clinical, gaze in zip(prediction.clinical[:5], looked[:5], strict=True):
        assert gaze[clinical].min() > gaze[~clinical].median()


def test_random_masking_is_that_of_images_without_gaze(batch: ImageBatch, run: PretrainingSettings) -> None:
    at_random = CxrMim(change(run, task=METHOD | {"masking": "random"}))
    assert value(at_random(batch)["gazed"]) == pytest.approx(5 / 6)
    assert set(at_random(batch)) == {"loss", "gazed"} == {"loss", *at_random.watched}
    by_gaze, prediction = CxrMim(run).predict_fixed(batch), at_random.predict_fixed(batch)
    assert not prediction.clinical.any()
    assert torch.equal(prediction.masked[5], by_gaze.masked[5])
    assert not torch.equal(prediction.masked, by_gaze.masked)


@pytest.mark.parametrize(
    ("masking", "weighting", "reads_gaze"),
    [("gaze", "off", True), ("random", "rescaled", True), ("random", "published", True), ("random", "off", False)],
)
def test_gaze_maps_are_read_where_they_count(
    masking: str, weighting: str, reads_gaze: bool, batch: ImageBatch, run: PretrainingSettings
) -> None:
    task = CxrMim(change(run, task=METHOD | {"masking": masking, "gaze_weighting": weighting}))
    assert task.companions == Companions(gaze=reads_gaze)
    assert ("gazed" in task.watched) == reads_gaze
    blind = replace(batch, gaze=None, gazed=None)
    if reads_gaze:
        with pytest.raises(ValueError, match="no gaze maps"):
            task(blind)
    else:
        assert value(task(blind)["loss"]) == value(task(batch)["loss"])


def weight_by_the_letter(weighting: str, share: list[float], looked: list[float]) -> list[float]:
    """Return the weights of one image's cells, read from spec B5 and B6.3, strength 1 and temperature 0.1."""
    if weighting == "off":
        return share
    if weighting == "published":
        powers = [math.exp(gaze * part / 0.1) for gaze, part in zip(looked, share, strict=True)]
        return [part + power / sum(powers) for part, power in zip(share, powers, strict=True)]
    powers = [part * math.exp(gaze / 0.1) for gaze, part in zip(looked, share, strict=True)]
    return [part + sum(share) * power / sum(powers) for part, power in zip(share, powers, strict=True)]


def loss_by_the_letter(prediction: PyramidPrediction, weighting: str) -> float:
    """Return the loss of one image of 4 by 4 patches of 8 pixels, cell by cell."""
    assert prediction.gaze is not None
    gaze, hidden = prediction.gaze[0, 0].numpy(), set(prediction.masked[0].tolist())
    loss = 0.0
    for cell, targets, predictions in zip(CELLS, prediction.targets, prediction.predictions, strict=True):
        share, looked, errors = [], [], []
        for number, corner in enumerate((y, x) for y in range(0, 32, cell) for x in range(0, 32, cell)):
            square = slice(corner[0], corner[0] + cell), slice(corner[1], corner[1] + cell)
            rows, columns = np.mgrid[square] // 8
            share.append(float(np.mean([patch in hidden for patch in (rows * 4 + columns).ravel()])))
            looked.append(float(gaze[square].mean()))
            errors.append(float(((predictions[0, number] - targets[0, number]) ** 2).mean()))
        weights = weight_by_the_letter(weighting, share, looked)
        loss += float(np.average(errors, weights=weights))
    return loss


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@torch.no_grad()
def test_the_loss_is_that_of_the_specification_cell_by_cell(
    weighting: str, batch: ImageBatch, run: PretrainingSettings
) -> None:
    task = CxrMim(change(run, task=METHOD | {"gaze_weighting": weighting}))
    prediction = task.predict_fixed(part(batch, 1))
    expected = loss_by_the_letter(prediction, weighting)
    assert value(task.pyramid_loss(prediction)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_the_loss_of_a_batch_is_the_mean_of_those_of_its_parts(
    weighting: str, batch: ImageBatch, run: PretrainingSettings
) -> None:
    task = CxrMim(change(run, task=METHOD | {"gaze_weighting": weighting}))
    parts = [part(batch, 0, 5), part(batch, 1, 2, 3), part(batch, 4)]
    mean = sum(value(task.validate(some)["loss"]) * len(some) for some in parts) / 6
    assert value(task.validate(batch)["loss"]) == pytest.approx(mean, rel=1e-5)


@torch.no_grad()
def test_equal_channels_that_are_predicted_equally_have_the_loss_of_one(
    batch: ImageBatch, run: PretrainingSettings
) -> None:
    gray, coloured = CxrMim(run), CxrMim(change(run, encoder={"channels": 3}))
    prediction, repeated = gray.predict_fixed(batch), coloured.predict_fixed(batch)
    repeated = repeated._replace(predictions=[made.repeat(1, 1, 3) for made in prediction.predictions])
    assert value(coloured.pyramid_loss(repeated)) == pytest.approx(value(gray.pyramid_loss(prediction)), rel=1e-6)


@torch.no_grad()
def test_a_perfect_prediction_has_no_loss(batch: ImageBatch, run: PretrainingSettings) -> None:
    task = CxrMim(run)
    prediction = task.predict_fixed(batch)
    assert value(task.pyramid_loss(prediction._replace(predictions=prediction.targets))) == 0


def test_lower_precision_leaves_targets_and_weights_exact(batch: ImageBatch, run: PretrainingSettings) -> None:
    task = CxrMim(run)
    exact = task.predict_fixed(batch)
    with torch.autocast("cpu", torch.bfloat16):
        prediction = task.predict_fixed(batch)
        loss = task.pyramid_loss(prediction)
    assert all(torch.equal(made, target) for made, target in zip(prediction.targets, exact.targets, strict=True))
    assert loss.dtype == torch.float32
    assert value(loss) == pytest.approx(value(task.pyramid_loss(exact)), rel=0.02)


def test_a_few_dozen_steps_lower_the_loss_under_fixed_masks(batch: ImageBatch, run: PretrainingSettings) -> None:
    task = CxrMim(run)
    before = value(task.validate(batch)["loss"])
    optimizer = torch.optim.AdamW(task.parameters(), lr=3e-3)
    for epoch in range(40):
        task(replace(batch, epochs=batch.epochs + epoch))["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert value(task.validate(batch)["loss"]) < 0.7 * before


def test_gaze_maps_that_leave_no_clinical_patch_stop_the_run(run: PretrainingSettings) -> None:
    task = CxrMim(run)
    with pytest.raises(UserError, match=r"last 8 gaze maps left a clinical patch.*made.*masking to 'random'"):
        task.check({"gazed": 0.8, "clinical_patches": 0.0}, 10)
    task.check({"gazed": 0.7, "clinical_patches": 0.0}, 10)
    task.check({"gazed": 0.8, "clinical_patches": 0.1}, 10)
    CxrMim(change(run, task=METHOD | {"masking": "random"})).check({}, 10)


def test_few_gaze_maps_at_a_time_are_judged_together(run: PretrainingSettings) -> None:
    task = CxrMim(run)
    few, none_clinical = {"gazed": 0.3, "clinical_patches": 0.1}, {"gazed": 0.3, "clinical_patches": 0.0}
    for watched in (none_clinical, none_clinical, few, none_clinical, none_clinical):
        task.check(watched, 10)
    with pytest.raises(UserError, match="last 9 gaze maps"):
        task.check(none_clinical, 10)
