"""Who is seen in an image and what is known of it, as JSON."""

import json
import math
from typing import Any

from pipeline.manifests.vocabulary import FINDINGS, UNKNOWN, finding_column
from pipeline.records.errors import UserError
from pipeline.shards.images import Stored

_IDENTITY = ("patient", "study", "split", "view", "sex")
_DECIMALS = 3
"""Of years and pixels: a third of a day, and far less than a reader can draw."""


def describe(row: dict[str, Any], stored: Stored, *, boxes: bool) -> bytes:
    """Return the description of an image; equal rows give equal bytes.

    Args:
        row: A row of the manifest. Findings that are unknown are left out; sex and age are null where unknown.
        stored: The image; boxes are scaled from pixels of its file to pixels of what is stored.
        boxes: Whether boxes are wanted. The list is absent, too, where the manifest has null.

    Raises:
        UserError: A box has a side that is no finite number; the sentence names corpus and key.
    """
    said: dict[str, Any] = {name: row[name] for name in _IDENTITY}
    said["age"] = None if row["age"] is None or math.isnan(row["age"]) else round(row["age"], _DECIMALS)
    presences = {finding: row[finding_column(finding)] for finding in FINDINGS}
    said["findings"] = {finding: presence for finding, presence in presences.items() if presence != UNKNOWN}
    if boxes and row["boxes"] is not None:
        said["boxes"] = [_scale(box, row, stored) for box in row["boxes"]]
    return json.dumps(said, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _scale(box: dict[str, Any], row: dict[str, Any], stored: Stored) -> dict[str, Any]:
    height, width = stored.pixels.shape
    across, down = width / stored.width, height / stored.height
    factors = {"left": across, "top": down, "width": across, "height": down}
    if not all(math.isfinite(box[side]) for side in factors):
        raise UserError(
            f"key '{row['key']}' of corpus {row['corpus']}: the box '{box['label']}' has a side that is no finite "
            "number; correct it in the publisher's table"
        )
    scaled = {side: round(box[side] * factor, _DECIMALS) for side, factor in factors.items()}
    return {"label": box["label"], "reader": box["reader"], **scaled}
