"""Where the bytes of a sample's members stand in its shard."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Extent(NamedTuple):
    """Say where some bytes of a shard stand, and how to tell that they are whole."""

    offset: int
    """Bytes before them in the shard."""
    size: int
    """Number of bytes."""
    crc32: int
    """Their checksum."""


class Members:
    """Find the members of samples beside the image, about 30 bytes of memory for each."""

    def __init__(self, members: pa.ListArray) -> None:
        """Take over the index column `members`, one list per sample."""
        flat = members.flatten()
        names = flat.field("name").dictionary_encode()
        self._codes = {name: code for code, name in enumerate(names.dictionary.to_pylist())}
        self._names: NDArray[np.int32] = names.indices.to_numpy()
        self._bounds: NDArray[np.int32] = members.offsets.to_numpy() - members.offsets[0].as_py()
        self._extents = tuple(flat.field(column).to_numpy() for column in Extent._fields)

    def __contains__(self, name: str) -> bool:
        """Tell whether any sample has a member of some name."""
        return name in self._codes

    def owners(self, name: str) -> NDArray[np.int64]:
        """Return the positions of the samples that have a member of some name, ascending."""
        (found,) = np.nonzero(self._names == self._codes.get(name, -1))
        return np.unique(np.searchsorted(self._bounds, found, side="right") - 1)

    def find(self, position: int, name: str) -> Extent | None:
        """Return the extent of a sample's member of some name; None where it has none."""
        start, stop = self._bounds[position : position + 2]
        (found,) = np.nonzero(self._names[start:stop] == self._codes.get(name, -1))
        if not found.size:
            return None
        return Extent(*(int(column[start + found[0]]) for column in self._extents))
