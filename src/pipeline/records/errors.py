"""The one error class that is meant for the person at the keyboard, and advice that several sentences end in."""

WRITE_AGAIN = "run python -m pipeline.stages.verify_shards on its index, which says how its tars are written again"
"""The end of a sentence about tars that are not those of their index."""


class UserError(Exception):
    """Say what is wrong, where (file, row or key), and what to do, in one sentence."""
