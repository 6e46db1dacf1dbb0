"""What the loop asks of a method and of its data."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from pipeline.batches.batch import ImageBatch


class Task(Protocol):
    """Model and loss: what the loop asks of a method."""

    model: nn.Module
    """What is compiled where the settings ask for it."""
    watched: Sequence[str]
    """Names of the scalars beside the loss that are logged: means over the images of a batch."""

    def __call__(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the training loss, the mean over the images, under `loss`, and what is watched under its names."""
        ...

    def check(self, watched: Mapping[str, float], images: int) -> None:
        """Raise `UserError` where the means over the `images` since the last call show that something is wrong."""
        ...

    def validate(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the validation loss, the mean over the images, under `loss`."""
        ...

    def layers(self) -> Mapping[str, int]:
        """Return the number of the layer of each parameter, by name, from the input on."""
        ...


@dataclass(frozen=True)
class Data:
    """Say where the loop's batches come from."""

    training: Callable[[int, int], Iterator[ImageBatch]]
    """Gives this process's parts of the batches of steps first (inclusive) to last (exclusive), in their order."""
    validation: Callable[[], Iterable[ImageBatch]]
    """Gives this process's validation batches, the same each time."""
    keys: Callable[[int], Sequence[str]]
    """Gives the name of every image of a step's batch, those of other processes included."""
