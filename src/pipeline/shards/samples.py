"""One image of a manifest as the sample that a tar holds of it."""

from pathlib import Path
from typing import Any

from pipeline.settings.corpora import ShardSettings
from pipeline.settings.fixations import FixationRule
from pipeline.shards.arrays import split_row
from pipeline.shards.companions.members import companion_members
from pipeline.shards.fingerprint import fingerprint
from pipeline.shards.images import read_stored
from pipeline.shards.jpeg import encode_jpeg
from pipeline.shards.originals import Originals, read_unchanged
from pipeline.shards.tar import Sample

ManifestRow = dict[str, Any]
"""One row of the manifest."""


def prepare_sample(
    row: ManifestRow, images: Path, own: Originals, settings: ShardSettings, fixations: FixationRule
) -> Sample:
    """Read an image file once, and return what is stored of the image and of what belongs to it.

    Args:
        row: Row of the manifest.
        images: The folder that its image's path is relative to.
        own: The files that belong to images.
        settings: What is stored.
        fixations: Which fixations of a reading make its gaze map.

    Raises:
        UserError: A file is missing, cannot be decoded or has changed since the inventory; of an array file, which
            holds many images, only `require_unchanged_arrays` finds that.
    """
    path = images / row["path"]
    content = None if split_row(path)[1] is not None else read_unchanged(path, row["sha256"])
    stored = read_stored(content, path, settings)
    height, width = stored.pixels.shape
    return Sample(
        key=row["key"],
        patient=row["patient"],
        study=row["study"],
        view=row["view"],
        split=row["split"],
        width=width,
        height=height,
        jpeg=encode_jpeg(stored.pixels, settings.jpeg_quality),
        members=companion_members(row, stored, settings, own, fixations),
        fingerprint=fingerprint(stored.pixels),
    )
