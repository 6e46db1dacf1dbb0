"""See that what is still to come fits on the disk."""

import shutil
from pathlib import Path

from pipeline.records.errors import UserError
from pipeline.records.sizes import readable_bytes
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
