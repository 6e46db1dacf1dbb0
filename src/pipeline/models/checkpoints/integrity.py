"""The file that is meant, and no other: its digest is compared before anything of it is read."""

from pathlib import Path

from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError


def require_digest(path: Path, sha256: str, name: str = "") -> None:
    """Raise `UserError` where a file's bytes are not those that were meant, or cannot be read.

    Args:
        path: The file.
        sha256: The digest that its settings state, 64 hexadecimal digits.
        name: What a person knows the file by, where that is not its path.
    """
    try:
        found = file_digest(path)
    except OSError as error:
        raise UserError(
            f"{name or path} cannot be read ({error.strerror}); give the path of a checkpoint file that you may read"
        ) from error
    require_equal_digests(found, sha256, name or str(path))


def require_equal_digests(found: str, sha256: str, name: str) -> None:
    """Raise `UserError` where the digest of what is called `name` is not the one that its settings state."""
    if found != sha256:
        raise UserError(
            f"{name} has sha256 {found}, and its settings state {sha256}; have the file that is meant, or state the "
            "digest of this one if you trust it"
        )
