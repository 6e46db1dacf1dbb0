"""How far each parameter of a model stands from its input, counted in layers of its encoder."""

import re
from collections.abc import Iterable

_STEM = ("cls_token", "reg_token", "pos_embed", "patch_embed.", "norm_pre.")
_BLOCK = re.compile(r"blocks\.(\d+)\.")


def layer_numbers(names: Iterable[str], encoder: str, depth: int) -> dict[str, int]:
    """Number the layers that the named parameters belong to, from the input on (spec Medical MAE A3).

    Args:
        names: Names of a model's parameters.
        encoder: Beginning of the names of its encoder's, which is a timm vision transformer; "" where it is the model.
        depth: Blocks of that encoder.

    Returns:
        By name: 0 for patch embedding, positions and class token, i + 1 for block i, depth + 1 for all that follows.
    """
    return {
        name: _number(name.removeprefix(encoder), depth) if name.startswith(encoder) else depth + 1 for name in names
    }


def _number(name: str, depth: int) -> int:
    """Number the layer of a parameter that timm's vision transformer calls `name`."""
    block = _BLOCK.match(name)
    if block is not None:
        return int(block[1]) + 1
    return 0 if name.startswith(_STEM) else depth + 1
