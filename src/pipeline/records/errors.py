"""The one error class that is meant for the person at the keyboard."""


class UserError(Exception):
    """Say what is wrong, where (file, row or key), and what to do, in one sentence."""
