from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.models.attention import attention_to


class Watched(TorchDispatchMode):
    """Note whether a fused kernel of attention is called."""

    fused = False

    def __torch_dispatch__(
        self, operator: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.fused |= "flash_attention" in operator.__name__
        return operator(*args, **(kwargs or {}))


def attend(context: Tensor, dtype: torch.dtype) -> tuple[Tensor, bool]:
    """Let the tokens of a context attend to each other; tell whether a fused kernel did it."""
    heads = context.unflatten(-1, (2, -1)).transpose(1, 2)  # type: ignore[no-untyped-call]
    low = torch.autocast("cpu", torch.bfloat16, enabled=dtype != torch.float32)
    with low, Watched() as watched, attention_to(context):
        attended = functional.scaled_dot_product_attention(heads, heads, heads)
    return attended, watched.fused


@pytest.mark.parametrize(
    ("tokens", "dtype", "fused"),
    [(20, torch.bfloat16, False), (197, torch.bfloat16, True), (20, torch.float32, True)],
)
def test_plain_products_attend_where_they_are_faster(tokens: int, dtype: torch.dtype, fused: bool) -> None:
    context = torch.randn(2, tokens, 16, generator=torch.Generator().manual_seed(0))
    attended, used = attend(context, dtype)
    assert used == fused
    exact, _ = attend(context.double(), torch.float32)
    torch.testing.assert_close(attended.double(), exact, rtol=2e-2, atol=2e-2)
