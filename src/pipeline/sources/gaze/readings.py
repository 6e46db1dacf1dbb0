"""From the files of an image's readings to its heat map."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.records.errors import UserError
from pipeline.settings.fixations import FixationRule
from pipeline.sources.gaze.fixations import read_fixations
from pipeline.sources.gaze.heatmap import HeatMap, Shape, heatmap, mean_heatmap
from pipeline.sources.gaze.selection import on_image


def image_heatmap(
    paths: Sequence[Path], rule: FixationRule, image_shape: Shape, output_shape: Shape | None = None
) -> HeatMap:
    """Return the mean heat map of an image's readings, given their `fixations.csv`.

    Shapes are height and width in pixels; the map, [h, w], sums to 1 (spec CXR-MIM B3, B6 (8)).
    Raises `UserError` naming the file of a reading that is not what it should be or never rests on the image.
    """
    return mean_heatmap([_draw(path, rule, image_shape, output_shape) for path in paths])


def _draw(path: Path, rule: FixationRule, image_shape: Shape, output_shape: Shape | None) -> HeatMap:
    fixations = read_fixations(path)
    kept = fixations.select(on_image(fixations)) if rule == "on_image" else fixations
    try:
        return heatmap(kept, image_shape, output_shape)
    except ValueError as error:
        raise UserError(f"{path}: {error}; set eye_tracking_data_discarded to True for this reading") from error
