"""See that what is still to come fits on the disk."""

import shutil
from pathlib import Path

from pipeline.records.errors import UserError
from pipeline.settings.publications import Publication
from pipeline.sources.download.policy import TransferPolicy


def require_space(root: Path, publication: Publication, bytes_there: int, policy: TransferPolicy) -> None:
    """Raise `UserError` where the disk has less room than the publication's rest needs, with a margin."""
    needed = round(max(0, publication.bytes - bytes_there) * (1 + policy.disk_margin))
    free = shutil.disk_usage(root).free
    if needed > free:
        raise UserError(
            f"{root} has {readable_bytes(free)} free, and the rest of {publication.title} needs "
            f"{readable_bytes(needed)}; make room or choose another source.root"
        )


def readable_bytes(count: float) -> str:
    """Return a size in the unit that suits it."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"
