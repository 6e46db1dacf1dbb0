"""What is read beside an image: masks, gaze map, report, boxes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.batches.batch import Companions
from pipeline.batches.order import fixed_subset
from pipeline.batches.samples import Samples
from pipeline.shards.companions.names import DESCRIPTION, GAZE, mask_name, text_name
from pipeline.shards.companions.reading import StoredBox, read_boxes, read_mask, read_text
from pipeline.shards.gray import GrayImage

Content = TypeVar("Content")


@dataclass(frozen=True)
class SampleContent:
    """Hold one image and the companions that were asked for."""

    image: GrayImage
    """[h, w]."""
    masks: tuple[GrayImage | None, ...]
    """One [h, w] for each structure that was asked for; None where the sample has none."""
    gaze: GrayImage | None
    """[h, w]; None where the sample has none or it was not asked for."""
    text: str | None
    """Sections that were asked for, joined by a blank; None where the sample has none of them."""
    boxes: list[StoredBox]
    """In pixels of the stored image."""


class SampleReader:
    """Read of samples what is wanted; any number of threads may share one."""

    def __init__(self, samples: Samples, companions: Companions, read_size: int | None, required: bool = True) -> None:
        """Prepare to read images decoded at the smallest eighth whose short side is at least `read_size`.

        Raises `UserError` naming a companion that is asked for and that no sample has, if companions are `required`.
        """
        self.samples = samples
        self.companions = companions
        self.read_size = read_size
        if companions:
            samples.load_members()
        for name in _members(companions) if required else ():
            samples.require_member(name)

    def read(self, position: int) -> SampleContent:
        """Read one sample. Raises as `Samples.image` does, for damage of any member that is asked for."""
        wanted = self.companions
        return SampleContent(
            image=self.samples.image(position, self.read_size),
            masks=tuple(self._plane(position, mask_name(structure)) for structure in wanted.masks),
            gaze=self._plane(position, GAZE) if wanted.gaze else None,
            text=self._text(position) if wanted.texts else None,
            boxes=(self._member(position, DESCRIPTION, read_boxes) or []) if wanted.boxes else [],
        )

    def _plane(self, position: int, name: str) -> GrayImage | None:
        plane = self._member(position, name, read_mask)
        if plane is not None:
            self.samples.require_shape(position, plane.shape, name)
        return plane

    def _text(self, position: int) -> str | None:
        sections = [self._member(position, text_name(section), read_text) for section in self.companions.texts]
        return " ".join(filter(None, sections)) or None

    def _member(self, position: int, name: str, decode: Callable[[bytes], Content]) -> Content | None:
        """Read and decode a member; None where the sample has none."""
        content = self.samples.member(position, name)
        return None if content is None else self.samples.decode(position, name, content, decode)


def absent_members(samples: Samples, companions: Companions) -> list[str]:
    """Return the names of the members that hold what is asked for and that no sample has."""
    if companions:
        samples.load_members()
    return [name for name in _members(companions) if not samples.owners(name).size]


def fullest_subset(samples: Samples, companions: Companions, count: int, seed: int) -> NDArray[np.int64]:
    """Return at most `count` positions: of samples that have every companion, then, where these are too few, of others.

    Of each kind they are drawn from all over the samples, and ascend.
    """
    everyone = np.arange(len(samples))
    full = everyone
    if companions:
        samples.load_members()
    for name in _members(companions):
        full = np.intersect1d(full, samples.owners(name), assume_unique=True)
    chosen = full[fixed_subset(len(full), count, seed)]
    others = np.setdiff1d(everyone, full, assume_unique=True)
    return np.concatenate([chosen, others[fixed_subset(len(others), count - len(chosen), seed)]])


def _members(companions: Companions) -> list[str]:
    """Return the members that hold what is asked for; boxes stand in the description, which every sample has."""
    names = [*map(mask_name, companions.masks), *map(text_name, companions.texts)]
    return [*names, GAZE] if companions.gaze else names
