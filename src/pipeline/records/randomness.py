"""Random numbers that depend on what they are for, never on what was drawn before."""

import hashlib

import numpy as np


def keyed_generator(seed: int, purpose: str, *index: int | str) -> np.random.Generator:
    """Return the generator of (seed, purpose, index): equal arguments give equal draws on every machine.

    Generators of different keys are independent, and none has a state that would have to be saved.
    Give each quantity a purpose of its own, so that adding a new one moves no other.
    """
    name = "/".join(str(part) for part in (seed, purpose, *index))
    key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key))
