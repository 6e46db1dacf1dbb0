"""Damage one tar of a corpus in one of several ways, and make it whole again."""

import contextlib
import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from pipeline.shards.jpeg import decode_jpeg, encode_jpeg
from pipeline.shards.tar import IMAGE_SUFFIX

PAGE = 4096
"""Bytes that a disk or a page cache loses at a time."""

_QUALITY = 95

Item = TypeVar("Item")


@dataclass(frozen=True)
class Tar:
    """Hold the bytes of a whole tar, and where its members stand in it."""

    path: Path
    content: bytes
    members: tuple[tarfile.TarInfo, ...]

    @classmethod
    def read(cls, path: Path) -> "Tar":
        """Read a tar and list its members."""
        content = path.read_bytes()
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            return cls(path, content, tuple(tar))

    def images(self) -> list[tarfile.TarInfo]:
        """Return the members that are images."""
        return [member for member in self.members if member.name.endswith(f".{IMAGE_SUFFIX}")]

    def bytes_of(self, member: tarfile.TarInfo) -> bytes:
        """Return a member's bytes."""
        return self.content[member.offset_data : member.offset_data + member.size]


Injector = Callable[[list[Tar], np.random.Generator], tuple[Tar, bytes]]
"""Chooses one of several tars, and what its file holds from now on."""


@contextlib.contextmanager
def injected(injector: Injector, tars: list[Tar], rng: np.random.Generator) -> Iterator[Tar]:
    """Damage one of the tars inside the block; its file is whole again when it is left."""
    tar, damaged = injector(tars, rng)
    if damaged == tar.content:
        raise ArithmeticError(f"{tar.path} is as it was; the fault counts for nothing")
    tar.path.write_bytes(damaged)
    try:
        yield tar
    finally:
        tar.path.write_bytes(tar.content)


def flip_bit_of_image(tars: list[Tar], rng: np.random.Generator) -> tuple[Tar, bytes]:
    """Flip one bit of a JPEG."""
    tar = _any(tars, rng)
    image = _any(tar.images(), rng)
    return tar, _flipped(tar.content, image.offset_data + int(rng.integers(image.size)), rng)


def flip_bit(tars: list[Tar], rng: np.random.Generator) -> tuple[Tar, bytes]:
    """Flip one bit of the file, be it in an image, in another member, in a header or in padding."""
    tar = _any(tars, rng)
    return tar, _flipped(tar.content, int(rng.integers(len(tar.content))), rng)


def zero_page(tars: list[Tar], rng: np.random.Generator) -> tuple[Tar, bytes]:
    """Fill one page of the file with zeros; a page that is all zeros already is not chosen."""
    tar = _any(tars, rng)
    pages = [start for start in range(0, len(tar.content), PAGE) if any(tar.content[start : start + PAGE])]
    start = _any(pages, rng)
    end = min(start + PAGE, len(tar.content))
    return tar, tar.content[:start] + bytes(end - start) + tar.content[end:]


def cut_inside_member(tars: list[Tar], rng: np.random.Generator) -> tuple[Tar, bytes]:
    """End the file somewhere inside a member, as a copy does that was interrupted."""
    tar = _any(tars, rng)
    member = _any([member for member in tar.members if member.size > 1], rng)
    return tar, tar.content[: member.offset_data + int(rng.integers(1, member.size))]


def cut_between_members(tars: list[Tar], rng: np.random.Generator) -> tuple[Tar, bytes]:
    """End the file where a member, but not the first, would begin."""
    tar = _any(tars, rng)
    return tar, tar.content[: _any(tar.members[1:], rng).offset]


def swap(tars: list[Tar], rng: np.random.Generator) -> tuple[Tar, bytes]:
    """Put another whole tar of the corpus in the place of one."""
    first, second = rng.permutation(len(tars))[:2]
    return tars[first], tars[second].content


def swap_equal_size(tars: list[Tar], rng: np.random.Generator) -> tuple[Tar, bytes]:
    """Put another whole tar in the place of one that is as large or larger, and fill it up with zeros as tar does."""
    first, second = rng.permutation(len(tars))[:2]
    small, large = sorted((tars[first], tars[second]), key=lambda tar: len(tar.content))
    return large, small.content.ljust(len(large.content), b"\0")


def rebuild(tars: list[Tar], rng: np.random.Generator) -> tuple[Tar, bytes]:
    """Write a tar anew from a corpus in which one image has become its own negative, and leave its index as it was."""
    tar = _any(tars, rng)
    changed = _any(tar.images(), rng)
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as rebuilt:
        for member in tar.members:
            content = tar.bytes_of(member)
            if member is changed:
                content = encode_jpeg(255 - decode_jpeg(content), _QUALITY)
            header = member.replace(deep=True)
            header.size = len(content)
            rebuilt.addfile(header, io.BytesIO(content))
    return tar, written.getvalue()


INJECTORS: dict[str, Injector] = {
    "bit of an image": flip_bit_of_image,
    "bit anywhere": flip_bit,
    "4 KiB zeroed": zero_page,
    "cut inside a member": cut_inside_member,
    "cut between members": cut_between_members,
    "other shard": swap,
    "other of equal size": swap_equal_size,
    "rebuilt, index stale": rebuild,
}
"""Every kind of fault by its name."""


def _any(items: Sequence[Item], rng: np.random.Generator) -> Item:
    return items[int(rng.integers(len(items)))]


def _flipped(content: bytes, place: int, rng: np.random.Generator) -> bytes:
    flipped = bytearray(content)
    flipped[place] ^= 1 << int(rng.integers(8))
    return bytes(flipped)
