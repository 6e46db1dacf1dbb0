"""The tensors in a checkpoint file: data is read, and nothing in the file is ever executed."""

import argparse
import pickle
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from pipeline.records.errors import UserError

WRAPPERS = ("model", "state_dict")
"""Keys under which a training script puts the weights, beside its optimizer, its epoch and the like."""

_SHOWN = 5
"""Names that a list shows before it counts the others."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the weights in a checkpoint by their names, on the CPU, as they are stored.

    The file is safetensors, which are known by their content whatever the file's name, or what `torch.save` wrote: a
    state dict, by itself or under `model` or `state_dict`. Of torch's files only tensors and plain data are read
    (`weights_only`), and an `argparse.Namespace`, which the scripts of MAE and its heirs save beside the weights (spec
    Medical MAE A2): it is plain data with names. It is dropped with everything else that is no weight.

    Raises `UserError` for a file that is damaged or no checkpoint, that holds an object of any other class, or in which
    something stands among the weights that is no tensor.
    """
    return _load_safetensors(path) if _is_safetensors(path) else _weights(path, _load_torch(path))


def listed(names: Iterable[str]) -> str:
    """Return names in their order as one phrase, the last of many as a count."""
    every = list(names)
    rest = len(every) - _SHOWN
    return ", ".join(every[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _is_safetensors(path: Path) -> bool:
    """Tell whether a header in JSON follows the 8 bytes that give its length."""
    with path.open("rb") as stream:
        return stream.read(9)[8:] == b"{"


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error


def _load_torch(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            # Mapped, so that an optimizer's moments, twice the size of the weights, are never read from the disk.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise _refused(path, str(error)) from error
    except Exception as error:
        # torch's reader has no error of its own for damage: it raises whatever it stumbles over.
        raise _damaged(path, str(error)) from error


def _refused(path: Path, reason: str) -> UserError:
    """Return torch's refusal without its advice to execute what the file holds."""
    named = re.search(r"GLOBAL ([\w.]+)", reason)
    if named is None:
        inner = re.search(r"WeightsUnpickler error: (.*)", reason)
        return _damaged(path, inner[1] if inner else reason)
    return UserError(
        f"{path} holds an object of '{named[1]}', and only tensors and plain data are read from a checkpoint, since "
        "other objects execute code; ask its publisher for the weights alone, best as safetensors"
    )


def _damaged(path: Path, reason: str) -> UserError:
    # Torch's further sentences advise to read the file without any check.
    first = re.split(r"\n|\. ", reason.strip(), maxsplit=1)[0]
    return UserError(f"{path} is no checkpoint of torch or safetensors, or a damaged one ({first}); have it once more")


def _weights(path: Path, content: Any) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        raise UserError(f"{path} holds a {type(content).__name__} and no state dict; name a checkpoint of weights")
    wrapped = [content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)]
    weights = dict(wrapped[0] if wrapped else content)
    others = listed(repr(name) for name, value in weights.items() if not _is_weight(name, value))
    if others:
        raise UserError(
            f"{path} has {others} among its weights, which are no named tensors; name a file of a state dict, alone "
            f"or under '{WRAPPERS[0]}' or '{WRAPPERS[1]}'"
        )
    return weights


def _is_weight(name: Any, value: Any) -> bool:
    return isinstance(name, str) and isinstance(value, Tensor)
