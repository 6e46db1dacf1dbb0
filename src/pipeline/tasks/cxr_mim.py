"""CXR-MIM as a task: hide patches by gaze, predict a pyramid of oriented gradients, weight its cells by gaze.

Zhao et al. 2025 (spec CXR-MIM B1 to B6).
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.batches.augmentation import Augmented, augment, plain
from pipeline.batches.batch import Companions, ImageBatch
from pipeline.batches.planes import send
from pipeline.models.gaze_masking import clinical_patches, mask_patches, otsu_foreground
from pipeline.models.hog import hog_pyramid
from pipeline.models.pyramid_autoencoder import PyramidAutoencoder
from pipeline.records.errors import UserError
from pipeline.settings.methods import CxrMimSettings
from pipeline.settings.pretraining import PretrainingSettings, visible_patches
from pipeline.tasks.gaze_weights import cell_weights, hidden_patches
from pipeline.tasks.masked_autoencoding import mask_noise
from pipeline.tasks.pretraining import PretrainingTask

_ENOUGH_GAZE_MAPS = 8  # among which one at least leaves a clinical patch, if gaze maps are what they should be


class PyramidPrediction(NamedTuple):
    """Hold what was seen of a batch, what was to be predicted, and what was; B images, N patches, S pixels a side."""

    images: Tensor
    """float32 [B, 1, S, S], 0.0 (black) to 1.0 (white)."""
    gaze: Tensor | None
    """float32 [B, 1, S, S], 0.0 to 1.0, 0 everywhere where an image has no gaze map; None where none is read."""
    clinical: Tensor
    """bool [B, N], the patches that a reader looked at; none where patches are masked at random."""
    visible: Tensor
    """int64 [B, K], patches that the encoder saw, in raster order."""
    masked: Tensor
    """int64 [B, N - K], the others, in raster order."""
    targets: list[Tensor]
    """For each scale float32 [B, cells, orientations], row by row; the same for each channel (spec B6.4)."""
    predictions: list[Tensor]
    """For each scale [B, cells, channels * orientations], the first channel's orientations first."""


class CxrMim(PretrainingTask):
    """Predict oriented gradients of masked patches; training draws new crops and masks each epoch."""

    model: PyramidAutoencoder

    def __init__(self, settings: PretrainingSettings) -> None:
        """Build the model with weights drawn under the run's seed. Raises `TypeError` for another method's settings."""
        if not isinstance(settings.task, CxrMimSettings):
            raise TypeError(f"CXR-MIM cannot be built from settings of {settings.task.kind}")
        super().__init__(settings, PyramidAutoencoder(settings.encoder, settings.task, settings.seed))
        self.method = settings.task
        self.companions = Companions(gaze=self.method.reads_gaze)
        self.watched = _watched(self.method)
        self._gaze_maps = self._clinical_patches = 0.0  # since they were last judged; no part of the run's state
        self.cells = [round(settings.encoder.patch_size / scale) for scale in self.method.scales]

    def forward(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the training loss of a batch, a scalar under `loss`.

        Where gaze is read, `gazed` is the share of the images that have a gaze map; where it decides what is masked,
        `clinical_patches` is the mean number of clinical patches over all images.
        """
        batch = batch.to(self.device)
        squares = augment(batch, self.settings.augmentation, self.settings.seed, self.settings.encoder.image_size)
        prediction = self._predict(squares, batch, "mask")
        return {"loss": self.pyramid_loss(prediction), **self._watch(prediction, batch)}

    def validate(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the loss without augmentation, under masks that stay the same for the whole run."""
        return {"loss": self.pyramid_loss(self.predict_fixed(batch))}

    def predict_fixed(self, batch: ImageBatch) -> PyramidPrediction:
        """Return the prediction without augmentation, under the fixed masks of validation."""
        batch = batch.to(self.device)
        return self._predict(plain(batch, self.settings.encoder.image_size), batch, "validation mask")

    def pyramid_loss(self, prediction: PyramidPrediction) -> Tensor:
        """Return the sum over the scales of the weighted mean squared error over all cells of the batch.

        Weights have the same total in every image, so that the mean of the losses of parts of a batch, each counting
        by its number of images, is the loss of the batch (spec CXR-MIM B5).
        """
        hidden = hidden_patches(prediction.masked, self.model.rows)
        losses = []
        for scale, cell, target, predicted in zip(
            self.method.scales, self.cells, prediction.targets, prediction.predictions, strict=True
        ):
            weights = cell_weights(hidden, prediction.gaze, cell, scale, self.method)
            losses.append((_cell_errors(predicted, target) * weights).sum() / weights.sum())
        return torch.stack(losses).sum()

    def check(self, watched: Mapping[str, float], images: int) -> None:
        """Raise `UserError` where gaze decides what is masked, and no gaze map left a clinical patch.

        Judged are as many calls together as it takes to see enough gaze maps, of which a mix of corpora may have few.
        """
        if self.method.masking != "gaze":
            return
        self._gaze_maps += watched["gazed"] * images
        self._clinical_patches += watched["clinical_patches"] * images
        gaze_maps, clinical = round(self._gaze_maps), self._clinical_patches
        if gaze_maps < _ENOUGH_GAZE_MAPS:
            return
        self._gaze_maps = self._clinical_patches = 0.0
        if not clinical:
            raise UserError(
                f"not one of the last {gaze_maps} gaze maps left a clinical patch, so that all patches were masked at "
                f"random; look at the gaze maps of {', '.join(self.settings.corpora)}, or, to do without gaze, set the "
                "task's masking to 'random' and its gaze_weighting to 'off'"
            )

    def _predict(self, squares: Augmented, batch: ImageBatch, purpose: str) -> PyramidPrediction:
        """Predict squares under masks that are keyed by a purpose. Raises `ValueError` for lack of gaze maps."""
        if self.method.reads_gaze and squares.gaze is None:
            raise ValueError("the batch has no gaze maps; read what the task's companions say")
        noise = send(mask_noise(batch, self.model.rows**2, self.settings.seed, purpose), self.device)
        clinical = self._clinical(squares.gaze, noise)
        patches = clinical.shape[1]
        hidden = patches - visible_patches(self.method, patches)
        visible, masked = mask_patches(clinical, noise, hidden, self.method.clinical_ratio)
        predictions = self.model(self.normalised(squares.images, batch), visible, masked)
        targets = hog_pyramid(squares.images, self.method.orientations, self.method.binning, self.cells)
        return PyramidPrediction(squares.images, squares.gaze, clinical, visible, masked, targets, predictions)

    def _clinical(self, gaze: Tensor | None, noise: Tensor) -> Tensor:
        """Return the patches that are masked at a rate of their own, bool [B, N]."""
        if gaze is None or self.method.masking == "random":
            return torch.zeros_like(noise, dtype=torch.bool)
        return clinical_patches(otsu_foreground(gaze), self.settings.encoder.patch_size)

    def _watch(self, prediction: PyramidPrediction, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the means over the images that are watched; an image without a gaze map has no clinical patch."""
        if not self.watched:
            return {}
        if batch.gazed is None:
            raise ValueError("the batch does not say which images have a gaze map; read what the task's companions say")
        means = {"gazed": batch.gazed.float().mean(), "clinical_patches": prediction.clinical.sum(1).float().mean()}
        return {name: means[name] for name in self.watched}


def _watched(method: CxrMimSettings) -> tuple[str, ...]:
    """Return what is watched: how many images have gaze where it is read, and what it marks where it decides."""
    if not method.reads_gaze:
        return ()
    return ("gazed", "clinical_patches") if method.masking == "gaze" else ("gazed",)


def _cell_errors(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error of each cell, [B, cells], over channels that all have the same target."""
    batch, cells, orientations = target.shape
    channels = predicted.float().reshape(batch, cells, -1, orientations)
    return (channels - target.unsqueeze(2)).square().mean((2, 3))
