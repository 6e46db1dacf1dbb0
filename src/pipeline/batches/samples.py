"""The samples of one or several corpora, read by position and checked while read."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.batches.decoding import decoded_size
from pipeline.batches.members import Extent, Members
from pipeline.batches.quarantine import Quarantine
from pipeline.batches.selection import SelectedRows, Selection, select
from pipeline.batches.shard_files import ShardFiles, open_at_once
from pipeline.records.errors import UserError
from pipeline.shards.gray import GrayImage
from pipeline.shards.jpeg import decode_jpeg
from pipeline.shards.tar import IMAGE_SUFFIX
from pipeline.shards.verification import WRITE_AGAIN

__all__ = ["DamagedSampleError", "Samples", "Selection"]

Content = TypeVar("Content")


class DamagedSampleError(UserError):
    """Say which sample is not what was indexed, and why."""

    def __init__(self, shard: Path, key: str, reason: str) -> None:
        """Take a reason that completes the sentence "the bytes of the sample ..."."""
        super().__init__(
            f"{shard}: the bytes of sample '{key}' {reason}; the shard is damaged or was replaced: "
            f"restore it or {WRITE_AGAIN}"
        )
        self.shard = str(shard)
        self.key = key
        self.reason = reason


class Samples:
    """Give access to the selected samples of some corpora, by position, in the order of their indexes.

    The positions of a corpus are contiguous. Samples can be read inside a `with` block, from several
    threads at once. What is held in memory is about 100 bytes per sample, in arrays.
    """

    def __init__(self, indexes: Sequence[Path], selection: Selection, quarantine: Quarantine | None = None) -> None:
        """Read the indexes; training lists damaged samples in `quarantine` and does without, where it is given.

        Raises `UserError` where the indexes hold no selected sample.
        """
        self._chosen = [select(path, selection) for path in indexes]
        table = pa.concat_tables([chosen.columns for chosen in self._chosen]).combine_chunks()
        if not table.num_rows:
            raise UserError(
                f"no sample of {selection} in {', '.join(map(str, indexes))}; "
                "change the split and view settings or the corpora"
            )
        self.quarantine = quarantine
        self.corpus_sizes = tuple(chosen.columns.num_rows for chosen in self._chosen)
        self.sizes: NDArray[np.int64] = np.column_stack([table["height"], table["width"]]).astype(np.int64)
        self._keys: pa.StringArray = table["key"].chunk(0)
        self._offsets, self._lengths, self._crc32 = (table[name].to_numpy() for name in ("offset", "size", "crc32"))
        self._shards, self._shard_numbers = _number_shards(self._chosen)
        self._members: Members | None = None

    def __len__(self) -> int:
        return len(self._keys)

    def __enter__(self) -> Self:
        """Check that every shard is there and of its size. Raises `UserError` naming one that is not."""
        for chosen in self._chosen:
            chosen.require_whole_shards()
        self._files = ShardFiles(self._shards, open_at_once())
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def key(self, position: int) -> str:
        """Return the key of one sample."""
        return str(self._keys[position])

    def keys(self) -> list[str]:
        """Return all keys, in order; the list is made anew each time."""
        keys: list[str] = self._keys.to_pylist()
        return keys

    def shard(self, position: int) -> Path:
        """Return the shard of one sample."""
        return self._shards[int(self._shard_numbers[position])]

    def corpus(self, position: int) -> range:
        """Return all positions of the corpus that a sample belongs to."""
        ends = np.cumsum(self.corpus_sizes)
        number = int(np.searchsorted(ends, position, side="right"))
        return range(int(ends[number]) - self.corpus_sizes[number], int(ends[number]))

    def image(self, position: int, short_side: int | None = None) -> GrayImage:
        """Read one image [height, width], decoded at the smallest eighth whose short side is at least `short_side`.

        Raises `DamagedSampleError` where its bytes are not those that were indexed, or no image of the indexed size,
        and `UserError` where its shard is gone or cut short.
        """
        extent = Extent(*(int(column[position]) for column in (self._offsets, self._lengths, self._crc32)))
        content = self._read(position, IMAGE_SUFFIX, extent)
        image = self.decode(position, IMAGE_SUFFIX, content, lambda jpeg: decode_jpeg(jpeg, short_side))
        self.require_shape(position, image.shape, IMAGE_SUFFIX, short_side)
        return image

    def load_members(self) -> None:
        """Read where the members beside the images stand, which `member` needs; once, and before threads do."""
        if self._members is None:
            chunks = [chunk for chosen in self._chosen for chunk in chosen.read_members().chunks]
            self._members = Members(pa.chunked_array(chunks).combine_chunks())

    def member(self, position: int, name: str) -> bytes | None:
        """Read another member of a sample, named by what follows its key; None where it has none.

        Raises as `image` does.
        """
        if self._members is None:
            raise ValueError("load_members must come before member")
        extent = self._members.find(position, name)
        return None if extent is None else self._read(position, name, extent)

    def decode(self, position: int, name: str, content: bytes, decode: Callable[[bytes], Content]) -> Content:
        """Decode a member of a sample. Raises `DamagedSampleError` where `decode` raises `ValueError`."""
        try:
            return decode(content)
        except ValueError as error:
            raise self._damaged(position, f"cannot be decoded ({name}: {error})") from error

    def require_shape(self, position: int, shape: tuple[int, ...], name: str, short_side: int | None = None) -> None:
        """Raise `DamagedSampleError` where a member has neither the indexed size nor what decoding makes of it."""
        height, width = self.sizes[position].tolist()
        if shape not in ((height, width), decoded_size(height, width, short_side)):
            raise self._damaged(
                position, f"hold {shape[1]} x {shape[0]} pixels ({name}), where the index says {width} x {height}"
            )

    def _read(self, position: int, name: str, extent: Extent) -> bytes:
        content = self._files.read(int(self._shard_numbers[position]), extent.offset, extent.size)
        if len(content) < extent.size:
            raise UserError(
                f"{self.shard(position)}: the bytes of sample '{self.key(position)}' are cut short ({name}); the shard "
                f"was changed while it was read: restore it or {WRITE_AGAIN}"
            )
        if zlib.crc32(content) != extent.crc32:
            raise self._damaged(position, f"are not those that were indexed ({name})")
        return content

    def _damaged(self, position: int, reason: str) -> DamagedSampleError:
        return DamagedSampleError(self.shard(position), self.key(position), reason)


def _number_shards(chosen: Sequence[SelectedRows]) -> tuple[list[Path], NDArray[np.int32]]:
    """Return the shards that are needed, and for each selected row which of them it is in, [N]."""
    paths: list[Path] = []
    numbers = []
    for rows in chosen:
        encoded = rows.columns["shard"].combine_chunks().dictionary_encode()
        numbers.append(encoded.indices.to_numpy() + np.int32(len(paths)))
        paths.extend(rows.index.parent / name for name in encoded.dictionary.to_pylist())
    return paths, np.concatenate(numbers)
