"""The samples of one or several corpora, read by position and checked while read."""

import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.records.errors import UserError
from pipeline.shards.gray import GrayImage, decode_jpeg
from pipeline.shards.index import read_index


class Samples:
    """Give access to every sample of some splits of some corpora, in the order of their indexes.

    Shards are open inside a `with` block; images can be read from several threads at once.
    """

    def __init__(self, indexes: Sequence[Path], splits: Sequence[str]) -> None:
        """Read the indexes. Raises `UserError` where they hold no sample of the splits."""
        tables = [_with_folder(read_index(path), path.parent) for path in indexes]
        table = pa.concat_tables(tables)
        table = table.filter(pc.field("split").isin(list(splits)))
        if not table.num_rows:
            raise UserError(
                f"no sample of the splits {', '.join(splits)} in {', '.join(map(str, indexes))}; "
                "change the split settings or the corpora"
            )
        self.keys: list[str] = table["key"].to_pylist()
        self.patients: list[str] = table["patient"].to_pylist()
        self._shards: list[str] = table["path"].to_pylist()
        self._offsets: NDArray[np.int64] = table["offset"].to_numpy()
        self._sizes: NDArray[np.int64] = table["size"].to_numpy()
        self._crc32: NDArray[np.uint32] = table["crc32"].to_numpy()
        self._descriptors: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.keys)

    def __enter__(self) -> Self:
        """Open every shard. Raises `UserError` naming one that is gone."""
        for shard in sorted(set(self._shards)):
            try:
                self._descriptors[shard] = os.open(shard, os.O_RDONLY)
            except FileNotFoundError as error:
                self.__exit__()
                raise UserError(f"{shard} is gone; delete the index beside it and run again") from error
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()

    def image(self, position: int) -> GrayImage:
        """Read one image [height, width].

        Raises `UserError` naming shard and key where the bytes are not those that were indexed.
        """
        shard, key = self._shards[position], self.keys[position]
        content = os.pread(self._descriptors[shard], int(self._sizes[position]), int(self._offsets[position]))
        if zlib.crc32(content) != self._crc32[position]:
            raise UserError(
                f"{shard}: the bytes of sample '{key}' are not those that were indexed; "
                "the shard is damaged or was replaced: delete its index and run again"
            )
        return decode_jpeg(content)

    def square_image(self, position: int, side: int) -> GrayImage:
        """Read one image and squash it to [side, side]."""
        image = self.image(position)
        if image.shape == (side, side):
            return image
        interpolation = cv2.INTER_AREA if min(image.shape) >= side else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(image, (side, side), interpolation=interpolation), dtype=np.uint8)


def _with_folder(table: pa.Table, folder: Path) -> pa.Table:
    paths = pc.binary_join_element_wise(str(folder), table["shard"], "/")
    return table.append_column("path", paths).replace_schema_metadata(None)
