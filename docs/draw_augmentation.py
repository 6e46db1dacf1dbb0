"""Draw docs/augmentation.png: one phantom radiograph as the network sees it, plain and under five draws."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from pipeline.batches.augmentation import Augmented, augment, plain
from pipeline.batches.batch import Boxes, ImageBatch
from pipeline.batches.planes import Planes
from pipeline.settings.augmentation import (
    AffineSettings,
    AugmentationSettings,
    BlurSettings,
    ErasingSettings,
    IntensitySettings,
)
from pipeline.sources.phantom.patient import sample_patient
from pipeline.sources.phantom.radiograph import render
from pipeline.sources.phantom.study import sample_studies

SIDE, DRAWS = 224, 5
SETTINGS = AugmentationSettings(
    flip=False,  # as always where boxes are read, whose labels may name a side
    affine=AffineSettings(),
    intensity=IntensitySettings(gamma=0.3),
    blur=BlurSettings(probability=0.4),
    erasing=ErasingSettings(probability=0.4),
)


def phantom_batch() -> ImageBatch:
    """Return the same radiograph DRAWS times, with the masks of lungs and heart and a box around the heart."""
    patient = sample_patient(0, 4)
    shot = render(patient, sample_studies(patient)[0], "frontal", (288, 256))
    masks = torch.from_numpy(np.stack([shot.lungs, shot.heart]).astype(np.uint8) * 255)
    rows, columns = np.flatnonzero(shot.heart.any(1)), np.flatnonzero(shot.heart.any(0))
    corners = [columns[0] / 256, rows[0] / 288, (columns[-1] + 1) / 256, (rows[-1] + 1) / 288]
    return ImageBatch(
        images=Planes.of(torch.from_numpy(shot.image)[None, None].expand(DRAWS, -1, -1, -1)),
        epochs=np.zeros(DRAWS, np.int64),
        indices=np.arange(DRAWS),
        corpora=np.zeros(DRAWS, np.int64),
        masks=Planes.of(masks.expand(DRAWS, -1, -1, -1)),
        boxes=Boxes(torch.tensor([corners] * DRAWS).float(), torch.arange(DRAWS), ("heart",) * DRAWS),
    )


def draw(axes: Axes, shown: Augmented, place: int, title: str) -> None:
    """Draw one image, outline its masks, and frame its box."""
    axes.imshow(shown.images[place, 0], cmap="gray", vmin=0, vmax=1)
    for mask, colour in zip(shown.masks[place], ("tab:cyan", "tab:orange"), strict=True):
        axes.contour(mask, levels=[0.5], colors=colour, linewidths=1)
    left, top, right, bottom = (shown.boxes.corners[place] * SIDE - 0.5).tolist()
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor="tab:red"))
    axes.set_title(title, fontsize=9)
    axes.axis("off")


if __name__ == "__main__":
    batch = phantom_batch()
    figure, places = plt.subplots(1, 1 + DRAWS, figsize=(12, 2.3), layout="constrained")
    draw(places[0], plain(batch, SIDE), 0, "plain")
    for place in range(DRAWS):
        draw(places[1 + place], augment(batch, SETTINGS, 2, SIDE), place, f"draw {place + 1}")
    figure.savefig(Path(__file__).with_name("augmentation.png"), dpi=100, metadata={"Software": None})
