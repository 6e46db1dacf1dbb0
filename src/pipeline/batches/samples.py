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
from pipeline.records.errors import WRITE_AGAIN, UserError
from pipeline.shards.gray import GrayImage
from pipeline.shards.jpeg import decode_jpeg
from pipeline.shards.tar import IMAGE_SUFFIX

__all__ = ["DamagedSampleError", "Samples", "Selection"]

Content = TypeVar("Content")


class DamagedSampleError(UserError):
    """Say which sample is not what was indexed, and why."""

    def __init__(self, sample: str, reason: str) -> None:
        """Take shard and place of the sample, and a reason that completes "the bytes of the sample ..."."""
        super().__init__(f"{sample} {reason}; the shard is damaged or was replaced: restore it or {WRITE_AGAIN}")
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
                f"no sample of {selection} in {_listed(self._chosen)}; "
                "change the split and view settings or the corpora"
            )
        self.selection = selection
        self.quarantine = quarantine
        self.corpora: tuple[str, ...] = tuple(path.absolute().parent.name for path in indexes)
        self.corpus_sizes = tuple(chosen.columns.num_rows for chosen in self._chosen)
        self.sizes: NDArray[np.int64] = np.column_stack([table["height"], table["width"]]).astype(np.int64)
        self._keys: pa.StringArray = table["key"].chunk(0)
        self._offsets, self._lengths, self._crc32 = (table[name].to_numpy() for name in ("offset", "size", "crc32"))
        self._shards, self._shard_numbers = _number_shards(self._chosen)
        self._shard_names = [f"{path.absolute().parent.name}/{path.name}" for path in self._shards]
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

    def shard(self, position: int) -> Path:
        """Return the shard of one sample."""
        return self._shards[int(self._shard_numbers[position])]

    def shard_name(self, position: int) -> str:
        """Return corpus and name of a sample's shard, `corpus/name.tar`, the same wherever the corpora lie."""
        return self._shard_names[int(self._shard_numbers[position])]

    def corpus(self, position: int) -> range:
        """Return all positions of the corpus that a sample belongs to."""
        ends = np.cumsum(self.corpus_sizes)
        number = int(np.searchsorted(ends, position, side="right"))
        return range(int(ends[number]) - self.corpus_sizes[number], int(ends[number]))

    def corpus_numbers(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the corpus of each of some samples, in the order of `corpora`."""
        return np.searchsorted(np.cumsum(self.corpus_sizes), positions, side="right")

    def image(self, position: int, short_side: int | None = None) -> GrayImage:
        """Read one image [height, width], decoded at the smallest eighth whose short side is at least `short_side`.

        Raises `DamagedSampleError` where its bytes are not those that were indexed, or no image of the indexed size,
        and `UserError` where its shard is gone or cut short.
        """
        extent = Extent(*(int(column[position]) for column in (self._offsets, self._lengths, self._crc32)))
        content = self._read(position, IMAGE_SUFFIX, extent)
        height, width = self.sizes[position].tolist()
        reduced = decoded_size(height, width, short_side)
        least = None if reduced == (height, width) else short_side
        image = self.decode(position, IMAGE_SUFFIX, content, lambda jpeg: decode_jpeg(jpeg, least))
        self.require_shape(position, image.shape, IMAGE_SUFFIX, reduced)
        return image

    def load_members(self) -> None:
        """Read where the members beside the images stand, which `member` needs; once, and before threads do."""
        if self._members is None:
            chunks = [chunk for chosen in self._chosen for chunk in chosen.read_members().chunks]
            self._members = Members(pa.chunked_array(chunks).combine_chunks())

    def require_member(self, name: str) -> None:
        """Raise `UserError` naming the indexes where no sample has a member; `load_members` must come before."""
        if name not in self._loaded_members():
            raise UserError(
                f"no sample of {self.selection} in {_listed(self._chosen)} has {name}; write the shards with this "
                "companion, or do not ask for it"
            )

    def owners(self, name: str) -> NDArray[np.int64]:
        """Return the positions of the samples that have a member, ascending; `load_members` must come before."""
        return self._loaded_members().owners(name)

    def member(self, position: int, name: str) -> bytes | None:
        """Read another member of a sample, named by what follows its key; None where it has none.

        Raises as `image` does.
        """
        extent = self._loaded_members().find(position, name)
        return None if extent is None else self._read(position, name, extent)

    def decode(self, position: int, name: str, content: bytes, decode: Callable[[bytes], Content]) -> Content:
        """Decode a member of a sample. Raises `DamagedSampleError` where `decode` raises `ValueError`."""
        try:
            return decode(content)
        except ValueError as error:
            raise self._damaged(position, f"cannot be decoded ({name}: {error})") from error

    def require_shape(
        self, position: int, shape: tuple[int, ...], name: str, reduced: tuple[int, int] | None = None
    ) -> None:
        """Raise `DamagedSampleError` where a member has neither the indexed size nor the one it is reduced to."""
        height, width = self.sizes[position].tolist()
        if shape not in ((height, width), reduced):
            raise self._damaged(
                position, f"hold {shape[1]} x {shape[0]} pixels ({name}), where the index says {width} x {height}"
            )

    def _read(self, position: int, name: str, extent: Extent) -> bytes:
        content = self._files.read(int(self._shard_numbers[position]), extent.offset, extent.size)
        if len(content) < extent.size:
            raise UserError(
                f"{self._place(position)} are cut short ({name}); the shard was changed while it was read: restore it "
                f"or {WRITE_AGAIN}"
            )
        if zlib.crc32(content) != extent.crc32:
            raise self._damaged(position, f"are not those that were indexed ({name})")
        return content

    def _damaged(self, position: int, reason: str) -> DamagedSampleError:
        return DamagedSampleError(self._place(position), reason)

    def _place(self, position: int) -> str:
        """Return the subject of a sentence; where logs mask the key, the offset tells which sample it is."""
        shard, key, offset = self.shard(position), self.key(position), self._offsets[position]
        return f"{shard}: the bytes of sample '{key}', from byte {offset:,} on,"

    def _loaded_members(self) -> Members:
        if self._members is None:
            raise ValueError("load_members must come first")
        return self._members


def _listed(chosen: Sequence[SelectedRows]) -> str:
    return ", ".join(str(rows.index) for rows in chosen)


def _number_shards(chosen: Sequence[SelectedRows]) -> tuple[list[Path], NDArray[np.int32]]:
    """Return the shards that are needed, and for each selected row which of them it is in, [N]."""
    paths: list[Path] = []
    numbers = []
    for rows in chosen:
        encoded = rows.columns["shard"].combine_chunks().dictionary_encode()
        numbers.append(encoded.indices.to_numpy() + np.int32(len(paths)))
        paths.extend(rows.index.parent / name for name in encoded.dictionary.to_pylist())
    return paths, np.concatenate(numbers)
