"""Stage of rule fetch_checkpoint: one file of the Hugging Face hub, verified before it has its name."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import constants, hf_hub_download, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from pipeline.models.checkpoints.integrity import require_digest
from pipeline.records.errors import UserError
from pipeline.records.publish import explaining_refusals, publishing


class HubFile(NamedTuple):
    """Name one file of a repository of the hub."""

    repository: str
    """`owner/name`."""
    revision: str
    """Commit, tag or branch."""
    weights: str
    """The file's path in the repository."""

    def __str__(self) -> str:
        """Return what a person knows the file by."""
        return f"{self.weights} of {self.repository} at revision '{self.revision}'"


def fetch_checkpoint(hub_file: HubFile, sha256: str, target: Path, endpoint: str = constants.ENDPOINT) -> None:
    """Download a checkpoint and publish it, if its bytes are those that are meant.

    Private and gated repositories are read with the user's own login to the hub, and with no other.

    Args:
        hub_file: The file.
        sha256: Its digest, 64 hexadecimal digits.
        target: File to publish.
        endpoint: Address of the hub, or of a mirror of it.

    Raises:
        UserError: The file cannot be had, or is another one; then nothing is published.
    """
    with _scratch_folder(target) as folder:
        downloaded = _download(hub_file, folder, endpoint)
        require_digest(downloaded, sha256, name=str(hub_file))
        with publishing(target) as scratch:
            downloaded.replace(scratch)


@contextmanager
def _scratch_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside a file, and leave none, nor that of a process that was killed."""
    folder = target.with_name(f".{target.name}.download")
    shutil.rmtree(folder, ignore_errors=True)
    with explaining_refusals(folder):
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(hub_file: HubFile, folder: Path, endpoint: str) -> Path:
    repository, revision, weights = hub_file
    try:
        with explaining_refusals(folder):
            downloaded = hf_hub_download(repository, weights, revision=revision, local_dir=folder, endpoint=endpoint)
    except UserError:
        raise
    except Exception as error:
        # The libraries by which the hub's client speaks HTTP and Xet have errors of their own, and share no class.
        address = hf_hub_url(repository, weights, revision=revision, endpoint=endpoint)
        raise UserError(
            f"{hub_file} cannot be had: {_reason(error, hub_file, endpoint)}; or download it by hand from {address} "
            "and give file in place of repository"
        ) from error
    return Path(downloaded)


def _reason(error: Exception, hub_file: HubFile, endpoint: str) -> str:
    """Return what is wrong, and what to do about it."""
    match error:
        case GatedRepoError():
            page = f"{endpoint}/{hub_file.repository}"
            return f"its publisher shows it to none but whom it accepts; ask on {page} and log in by `hf auth login`"
        case RepositoryNotFoundError():
            return "there is no such repository, or it is private; correct repository, or log in by `hf auth login`"
        case RevisionNotFoundError():
            return "the repository has no such revision; correct revision"
        case RemoteEntryNotFoundError():
            return "the repository has no such file; correct weights"
        case LocalEntryNotFoundError():
            cause = _first_line(error.__cause__ or error)
            return f"the hub is out of reach or refuses ({cause}); see to the network and to your login, and run again"
        case _:
            return f"the download failed ({_first_line(error)}); run again"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
