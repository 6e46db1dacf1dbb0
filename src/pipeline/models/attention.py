"""Which of torch's kernels computes attention."""

from contextlib import AbstractContextManager, nullcontext

from torch import Tensor, is_autocast_enabled
from torch.nn.attention import SDPBackend, sdpa_kernel

_FEW_KEYS = 64


def attention_to(context: Tensor) -> AbstractContextManager[None]:
    """Choose the kernel of attention to the tokens of a context [B, L, W], for the calls in a `with` block.

    Torch chooses well, but for one case: on a CPU in bfloat16 the backward pass of its fused kernel takes several times
    as long as that of plain products where there are some dozens of keys (torch 2.13: 14 against 3 ms with 20), as in
    the encoder of a masked autoencoder. With a few hundred it is the faster one.
    """
    on_cpu = context.device.type == "cpu" and is_autocast_enabled("cpu")
    return sdpa_kernel(SDPBackend.MATH) if on_cpu and context.shape[1] <= _FEW_KEYS else nullcontext()
