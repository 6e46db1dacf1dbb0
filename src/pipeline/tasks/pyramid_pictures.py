"""What CXR-MIM is shown of an image, the gradients it is to predict, and those it predicts, as arrays to draw."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pipeline.batches.batch import ImageBatch
from pipeline.settings.methods import CxrMimSettings
from pipeline.tasks.cxr_mim import CxrMim

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Gradients:
    """Hold the histograms of one scale, of R rows and R columns of cells."""

    cell: int
    """Side of a cell, pixels."""
    hidden: NDArray[np.bool_]
    """[N, R, R], cells of which some patch is hidden: those that are predicted."""
    target: Values
    """[N, R, R, orientations], L2-normalised."""
    predicted: Values
    """[N, R, R, orientations]."""


@dataclass(frozen=True)
class PyramidPictures:
    """Hold N images, S by S pixels, of P rows and P columns of patches."""

    images: Values
    """[N, S, S], 0.0 (black) to 1.0 (white)."""
    gaze: Values | None
    """[N, S, S], 0.0 to 1.0; none where the method reads no gaze."""
    gazed: NDArray[np.bool_]
    """[N], whether an image has a gaze map."""
    hidden: NDArray[np.bool_]
    """[N, P, P], patches that the model is not shown."""
    clinical: NDArray[np.bool_]
    """[N, P, P], patches that readers looked at."""
    angles: NDArray[np.float64]
    """[orientations], direction of the gradients of each bin, radians from right to down."""
    scales: tuple[Gradients, ...]
    """The finest scale, then that of the patches."""


@torch.no_grad()
def pyramid_pictures(task: CxrMim, batch: ImageBatch) -> PyramidPictures:
    """Predict a batch under the fixed masks of validation; of a model of three channels, the first is shown."""
    prediction, method = task.predict_fixed(batch), task.method
    hidden = _grid(torch.zeros_like(prediction.clinical).scatter(1, prediction.masked, True))
    return PyramidPictures(
        images=_plane(prediction.images),
        gaze=None if prediction.gaze is None else _plane(prediction.gaze),
        gazed=np.zeros(len(batch), np.bool_) if batch.gazed is None else batch.gazed.numpy(),
        hidden=hidden,
        clinical=_grid(prediction.clinical),
        angles=bin_angles(method),
        scales=tuple(
            _gradients(
                prediction.targets[tap],
                prediction.predictions[tap],
                hidden,
                task.settings.encoder.image_size,
                method.orientations,
            )
            for tap in shown_taps(method.scales)
        ),
    )


def bin_angles(settings: CxrMimSettings) -> NDArray[np.float64]:
    """Return the direction of the gradients that each bin stands for, its centre, in radians from right to down."""
    first = 0.0 if settings.binning == "linear" else 0.5
    return (np.arange(settings.orientations) + first) * math.pi / settings.orientations


def shown_taps(scales: tuple[float, ...]) -> tuple[int, ...]:
    """Return the taps of the finest scale and of the scale nearest to that of patches; one where they are the same."""
    finest = max(range(len(scales)), key=lambda tap: scales[tap])
    patchwise = min(range(len(scales)), key=lambda tap: abs(math.log2(scales[tap])))
    return (finest,) if scales[finest] == scales[patchwise] else (finest, patchwise)


def _gradients(target: Tensor, predicted: Tensor, hidden: NDArray[np.bool_], side: int, orientations: int) -> Gradients:
    """Lay out one tap's histograms [N, cells, channels * orientations] as a grid, those of the first channel."""
    rows = math.isqrt(target.shape[1])
    patches = torch.from_numpy(hidden).float()
    return Gradients(
        cell=side // rows,
        hidden=functional.adaptive_max_pool2d(patches, rows).numpy() > 0,
        target=_grid(target[..., :orientations].float()),
        predicted=_grid(predicted[..., :orientations].float()),
    )


def _grid(sequence: Tensor) -> NDArray[Any]:
    """Lay out a sequence [N, R * R, ...], row by row, as [N, R, R, ...]."""
    rows = math.isqrt(sequence.shape[1])
    grid: NDArray[Any] = sequence.reshape(len(sequence), rows, rows, *sequence.shape[2:]).cpu().numpy()
    return grid


def _plane(images: Tensor) -> Values:
    """Return the one channel of images [N, 1, S, S]."""
    plane: Values = images[:, 0].float().cpu().numpy()
    return plane
