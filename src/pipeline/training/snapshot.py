"""A copy of a state in host memory, taken at one moment, while the original goes on changing."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

_Path = tuple[str | int, ...]
_PLAIN = (bool, int, float, str, type(None))


class Snapshot:
    """Copy states into buffers that are kept from one copy to the next.

    Fresh memory costs more than the copy itself: the system clears every page when it is first touched, and
    pinned memory, without which a GPU's copies cannot run side by side, is slow to get. The price is a second
    copy of weights and optimiser state in host memory for the whole run. Of a GPU's state it can take up to twice
    the bytes: torch pins memory by the tensor, in blocks whose sizes are powers of two.
    """

    def __init__(self) -> None:
        """Start without buffers; the first copy makes them."""
        self._buffers: dict[_Path, Tensor] = {}

    def take(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of nested mappings, lists, tuples, tensors and plain values; tensors come to lie on the CPU.

        It is overwritten by the next call. Raises `TypeError` for anything else, which could be written but,
        by `torch.load(weights_only=True)`, not be read again.
        """
        # What the state no longer holds is left behind, so that memory follows the state.
        kept, self._buffers = self._buffers, {}
        copied: dict[str, Any] = self._copy(state, (), kept)
        for device in {tensor.device for tensor in _tensors(state) if tensor.is_cuda}:
            torch.cuda.current_stream(device).synchronize()
        return copied

    def _copy(self, value: Any, path: _Path, kept: Mapping[_Path, Tensor]) -> Any:
        if isinstance(value, Tensor):
            return self._copy_tensor(value.detach(), path, kept)
        if isinstance(value, Mapping):
            return {key: self._copy(inner, (*path, key), kept) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._copy(inner, (*path, place), kept) for place, inner in enumerate(value))
        if isinstance(value, _PLAIN):
            return value
        raise TypeError(f"a {type(value).__name__} at {'.'.join(map(str, path))} cannot be kept in a state")

    def _copy_tensor(self, tensor: Tensor, path: _Path, kept: Mapping[_Path, Tensor]) -> Tensor:
        buffer = kept.get(path)
        if buffer is None or not _fits(buffer, tensor):
            buffer = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
        self._buffers[path] = buffer
        return buffer.copy_(tensor, non_blocking=tensor.is_cuda)


def _fits(buffer: Tensor, tensor: Tensor) -> bool:
    return buffer.shape == tensor.shape and buffer.dtype == tensor.dtype and buffer.is_pinned() == tensor.is_cuda


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for inner in value for tensor in _tensors(inner)]
