"""Where tensors live, and what makes their sums repeatable."""

import torch


def prepare_device(threads: int) -> torch.device:
    """Return the GPU where there is one, else the CPU, set up so that equal inputs give equal bytes.

    On a GPU some operators have no such variant; torch then warns.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    # Would write every new tensor twice; nothing here reads memory before it is written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def describe_device(device: torch.device) -> str:
    """Return `cpu`, or the GPU's model name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
