"""From the fixations of an image's readers to its gaze map."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.settings.fixations import FixationRule
from pipeline.shards.images import Stored
from pipeline.shards.originals import Originals
from pipeline.sources.gaze.heatmap import as_gray
from pipeline.sources.gaze.readings import image_heatmap


def gaze_map(
    readings: Iterable[dict[str, Any]], rule: FixationRule, stored: Stored, own: Originals
) -> NDArray[np.uint8]:
    """Return where readers looked, each counting alike, 255 at the peak, at the size of the stored image.

    Args:
        readings: Rows of the manifest's column `gaze`, at least one.
        rule: Which fixations count.
        stored: The image they looked at; fixations are in pixels of its file.
        own: The readings' files.

    Raises:
        UserError: A table is gone, changed or wrong, or its reader never looked at the image; the sentence names it.
    """
    height, width = stored.pixels.shape
    paths = [own.find(reading["path"]) for reading in readings]
    return as_gray(image_heatmap(paths, rule, (stored.height, stored.width), (height, width)))
