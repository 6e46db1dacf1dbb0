"""All that stands beside the image in a sample."""

from typing import Any

from pipeline.records.errors import UserError
from pipeline.settings.corpora import ShardSettings
from pipeline.settings.fixations import FixationRule
from pipeline.shards.companions.description import describe
from pipeline.shards.companions.gaze import gaze_map
from pipeline.shards.companions.masks import structure_masks
from pipeline.shards.companions.names import DESCRIPTION, GAZE, SECTIONS, mask_name, text_name
from pipeline.shards.companions.png import encode_png
from pipeline.shards.images import Stored
from pipeline.shards.originals import Originals


def companion_members(
    row: dict[str, Any], stored: Stored, settings: ShardSettings, own: Originals, fixations: FixationRule
) -> dict[str, bytes]:
    """Return the members of a sample besides its image, by what follows the key in their names, sorted by it.

    Args:
        row: A row of the manifest.
        stored: The image of the sample.
        settings: Which companions are wanted; the description always is.
        own: Files of masks and fixations.
        fixations: Which fixations of a reading make its gaze map.

    Returns:
        Bytes that are equal for equal rows and files. A companion that the manifest has not makes no member.

    Raises:
        UserError: A file is gone, changed, damaged or does not fit the image, or a name or number cannot be stored; the
            sentence names it.
    """
    wanted = settings.companions
    members = {DESCRIPTION: describe(row, stored, boxes="boxes" in wanted)}
    if "text" in wanted:
        members |= _texts(row)
    if "masks" in wanted and row["masks"]:
        members |= _masks(row, stored, own)
    if "gaze" in wanted and row["gaze"]:
        members[GAZE] = encode_png(gaze_map(row["gaze"], fixations, stored, own))
    return dict(sorted(members.items()))


def _texts(row: dict[str, Any]) -> dict[str, bytes]:
    texts = {text_name(section): row[f"report_{section}"] for section in SECTIONS}
    return {name: text.encode() for name, text in texts.items() if text is not None}


def _masks(row: dict[str, Any], stored: Stored, own: Originals) -> dict[str, bytes]:
    try:
        names = {mask["structure"]: mask_name(mask["structure"]) for mask in row["masks"]}
    except ValueError as error:
        raise UserError(f"key '{row['key']}' of corpus {row['corpus']}: {error}; rename it in its adapter") from error
    masks = structure_masks(row["masks"], stored, own)
    return {names[structure]: encode_png(mask) for structure, mask in masks.items()}
