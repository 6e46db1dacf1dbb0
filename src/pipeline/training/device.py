"""Where tensors live, and what makes their sums repeatable."""

import os

import torch


def prepare_device(threads: int, local_rank: int = 0) -> torch.device:
    """Return a process's own GPU where there are any, else the CPU, set up so that equal inputs give equal bytes.

    Of the GPUs that the process sees it is number `local_rank`. On a GPU some operators have no such variant; torch
    then warns. `threads` CPU threads compute in this process.
    """
    # cuBLAS reads it when it starts, and has no repeatable sums without it (spec performance 5).
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.device_count() > 0)
    # Would write every new tensor twice; nothing here reads memory before it is written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if not torch.cuda.device_count():
        return torch.device("cpu")
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def describe_device(device: torch.device) -> str:
    """Return `cpu`, or the GPU's model name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
