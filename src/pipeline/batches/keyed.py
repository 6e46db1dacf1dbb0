"""Random numbers that depend on their key alone, never on what was drawn before."""

import hashlib

import numpy as np


def keyed_generator(seed: int, purpose: str, epoch: int, index: int) -> np.random.Generator:
    """Return the generator of one (seed, purpose, epoch, index); equal keys give equal draws.

    Philox counts from its counter under its key, so generators of different keys are independent
    and none has a state that would have to be saved.
    """
    purpose_code = int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest())
    # The two low words of the counter are the generator's own; it would take 2**128 draws to leave them.
    return np.random.Generator(np.random.Philox(key=[seed, purpose_code], counter=[0, 0, epoch, index]))
