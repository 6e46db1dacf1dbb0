"""Stage of rule fetch_checkpoint: one file of the Hugging Face hub, verified before it has its name."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from pipeline.models.checkpoints.integrity import require_digest, require_equal_digests
from pipeline.records.errors import UserError
from pipeline.records.publish import explaining_refusals, publishing

_SHA256 = re.compile("[0-9a-f]{64}")


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

    The digest that the hub states is compared first, so that a wrong one costs no download. A connection that breaks is
    resumed within the call; of one that stays broken the hub's client keeps no part, so nothing is kept here either.
    Private and gated repositories are read with the user's own login to the hub, and with no other.

    Args:
        hub_file: The file.
        sha256: Its digest, 64 hexadecimal digits.
        target: File to publish.
        endpoint: Address of the hub, or of a mirror of it.

    Raises:
        UserError: The file cannot be had, or is another one; then nothing is published.
    """
    _require_stated_digest(hub_file, sha256, endpoint)
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


def _require_stated_digest(hub_file: HubFile, sha256: str, endpoint: str) -> None:
    """Compare the digest by which the hub knows a large file; a small one it knows by git's, which is another."""
    with _explaining(hub_file, endpoint):
        stated = get_hf_file_metadata(_address(hub_file, endpoint), endpoint=endpoint, retry_on_errors=True).etag
    if stated is not None and _SHA256.fullmatch(stated):
        require_equal_digests(stated, sha256, name=f"{hub_file}, as the hub states,")


def _download(hub_file: HubFile, folder: Path, endpoint: str) -> Path:
    repository, revision, weights = hub_file
    with _explaining(hub_file, endpoint), explaining_refusals(folder):
        return Path(hf_hub_download(repository, weights, revision=revision, local_dir=folder, endpoint=endpoint))


def _address(hub_file: HubFile, endpoint: str) -> str:
    repository, revision, weights = hub_file
    return hf_hub_url(repository, weights, revision=revision, endpoint=endpoint)


@contextmanager
def _explaining(hub_file: HubFile, endpoint: str) -> Iterator[None]:
    """Raise `UserError` where the hub does not hand out in the block what is asked of it."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        # The libraries by which the hub's client speaks HTTP and Xet have errors of their own, and share no class.
        raise UserError(
            f"{hub_file} cannot be had: {_reason(error, hub_file, endpoint)}; or download it by hand from "
            f"{_address(hub_file, endpoint)} and give file in place of repository"
        ) from error


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
        case _:
            # The client's own words for a hub that is out of reach are of its cache, which is not used here.
            cause = error.__cause__ if isinstance(error, LocalEntryNotFoundError) else None
            return (
                f"the hub is out of reach, refuses or broke off ({_first_line(cause or error)}); see to the network "
                "and to your login, and run again"
            )


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
