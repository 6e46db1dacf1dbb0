"""Match the image files of a folder with the names that a table calls them by."""

from pathlib import Path, PurePosixPath

import polars as pl

from pipeline.sources.tables import find_images


def match_images(root: Path, pattern: str, names: pl.Series) -> tuple[pl.Series, tuple[str, ...]]:
    """Return the path of each image, null where there is no file, and the files that no name calls for.

    Names are those of the files without their ending; paths are relative to `root`. Raises `UserError`
    where two files share a name.
    """
    files = {PurePosixPath(name).stem: path for name, path in find_images(root, pattern).items()}
    paths = names.replace_strict(files, default=None, return_dtype=pl.String)
    return paths, tuple(files[name] for name in sorted(set(files) - set(names)))


def expected_paths(pattern: str, names: pl.Series) -> pl.Series:
    """Return where the glob would look for each image: what the inventory calls a missing one."""
    before, _, after = pattern.replace("**/", "").rpartition("*")
    return before + names + after
