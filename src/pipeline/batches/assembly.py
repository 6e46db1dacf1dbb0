"""One batch while its samples are being read."""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain

import numpy as np
import torch

from pipeline.batches.batch import Boxes, ImageBatch
from pipeline.batches.canvas import Canvas
from pipeline.batches.companions import SampleContent, SampleReader
from pipeline.batches.decoding import decoded_extents, decoded_sizes
from pipeline.batches.memory import BatchMemory
from pipeline.batches.order import ImageKeys
from pipeline.batches.planes import Planes
from pipeline.batches.quarantine import Damage
from pipeline.shards.companions.reading import StoredBox

Read = Callable[[int, int], tuple[int, SampleContent, tuple[Damage, ...]]]
"""Returns, for epoch and position, the position and content of the sample that is to be there, and what was damaged."""


class Assembly:
    """Put samples into the tensors of a batch; several threads may, each in places of its own."""

    def __init__(self, keys: ImageKeys, reader: SampleReader, read: Read, memory: BatchMemory) -> None:
        """Take memory for the samples of some keys; `read` says which are read, by `reader` or in place of it."""
        self.epochs, self.indices = keys[0], keys[1].copy()
        self._read = read
        self._samples = reader.samples
        self._wanted = reader.companions
        stored = reader.samples.sizes[self.indices]
        self._images = Canvas(memory.images, decoded_sizes(stored, reader.read_size), 1)
        self._masks = Canvas(memory.masks, stored, len(self._wanted.masks)) if self._wanted.masks else None
        self._gaze = Canvas(memory.gaze, stored, 1) if self._wanted.gaze else None
        self._masked = np.zeros((len(self), len(self._wanted.masks)), dtype=np.bool_)
        self._gazed = np.zeros(len(self), dtype=np.bool_)
        self._texts: list[str | None] = [None] * len(self)
        self._boxes: list[list[StoredBox]] = [[] for _ in range(len(self))]
        self._damaged: list[tuple[Damage, ...]] = [()] * len(self)

    def __len__(self) -> int:
        return len(self.indices)

    def fill(self, places: range) -> None:
        """Read the samples of some places. Raises as `Samples.image` does."""
        for place in places:
            position, content, self._damaged[place] = self._read(int(self.epochs[place]), int(self.indices[place]))
            self.indices[place] = position
            height, width = content.image.shape
            self._images.paint(place, (content.image,), (height, width))
            if self._wanted:
                self._add_companions(place, content)

    def finish(self) -> ImageBatch:
        """Return the batch, once all places are filled, and list what of it was damaged.

        To be called as the batch is handed out, so that no list depends on how far was read ahead. Raises `UserError`
        where more samples are damaged than tolerated.
        """
        self._list_damaged()
        wanted = self._wanted
        return ImageBatch(
            images=self._finish_images(),
            epochs=self.epochs,
            indices=self.indices,
            corpora=self._samples.corpus_numbers(self.indices),
            masks=self._masks.finish() if self._masks else None,
            masked=torch.from_numpy(self._masked) if wanted.masks else None,
            gaze=self._gaze.finish() if self._gaze else None,
            gazed=torch.from_numpy(self._gazed) if wanted.gaze else None,
            texts=tuple(self._texts) if wanted.texts else None,
            boxes=self._share_boxes() if wanted.boxes else None,
        )

    def _list_damaged(self) -> None:
        if self._samples.quarantine is not None:
            for damage in chain.from_iterable(self._damaged):
                self._samples.quarantine.add(*damage)

    def _finish_images(self) -> Planes:
        extents = decoded_extents(self._samples.sizes[self.indices], self._images.sizes)
        return replace(self._images.finish(), extents=torch.from_numpy(extents))

    def _add_companions(self, place: int, content: SampleContent) -> None:
        height, width = self._samples.sizes[self.indices[place]].tolist()
        if self._masks:
            self._masks.paint(place, content.masks, (height, width))
            self._masked[place] = [mask is not None for mask in content.masks]
        if self._gaze:
            self._gaze.paint(place, (content.gaze,), (height, width))
            self._gazed[place] = content.gaze is not None
        self._texts[place] = content.text
        self._boxes[place] = content.boxes

    def _share_boxes(self) -> Boxes:
        """Return all boxes, in the order of their images, as shares of these."""
        boxes = [box for boxes in self._boxes for box in boxes]
        images = np.repeat(np.arange(len(self)), [len(boxes) for boxes in self._boxes])
        corners = np.array([(box.left, box.top, box.left + box.width, box.top + box.height) for box in boxes])
        heights, widths = self._samples.sizes[self.indices[images]].T
        shares = corners.reshape(-1, 4) / np.column_stack([widths, heights, widths, heights])
        return Boxes(
            corners=torch.from_numpy(shares.astype(np.float32)),
            images=torch.from_numpy(images),
            labels=tuple(box.label for box in boxes),
        )
