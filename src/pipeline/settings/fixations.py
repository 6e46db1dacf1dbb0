"""Which fixations of a reading make its gaze map; not among the layouts, so that an edit there reshards nothing."""

from typing import Literal

FixationRule = Literal["all", "on_image"]
"""All, as in the authors' heat maps, or those meant for the image."""
