"""The registry of published corpora: what there is, where, how large, and who may have it."""

from pathlib import PurePosixPath

from pydantic import Field, model_validator

from pipeline.settings.base import Name, Settings
from pipeline.settings.layouts.base import Access


class Publication(Settings):
    """Describe one release of one publisher's data set."""

    title: str
    """The publisher's name of the set."""
    version: str
    """The release, as the publisher writes it."""
    publisher: str
    """Who answers for the data."""
    licence: str
    """Name of the licence or agreement."""
    access: Access
    """What the publisher asks for before the data may be had."""
    serves: tuple[Name, ...] = ()
    """Formats of the layouts that read its files; none where it only supplies what others are derived from."""
    page: str = Field(pattern="^https://")
    """Page of the set, where terms are read and accepted."""
    files_url: str | None = Field(default=None, pattern="^https://.*/$")
    """Address that file paths are appended to; none where the set can only be had by hand."""
    checksums: str = "SHA256SUMS.txt"
    """The list of files with their sha256: a file below `files_url`, or with `pinned` one of this project, which a
    registry names relative to itself."""
    pinned: bool = False
    """Whether `checksums` names a file of this project, beside the registry, instead of one of the publisher's."""
    needed: tuple[str, ...] = ("**",)
    """Globs of the listed paths that are needed; `**` spans folders."""
    known_mismatches: dict[str, str] = Field(default_factory=dict)
    """Files whose published sha256 is wrong, with the sha256 of what the publisher really serves."""
    addresses: dict[str, str] = Field(default_factory=dict)
    """Full addresses of files that do not stand below `files_url` under their own path."""
    unpack: tuple[str, ...] = ()
    """Globs of needed archives that are unpacked, member by member, beside themselves."""
    files: int = Field(gt=0)
    """Number of the needed files, about, for planning."""
    bytes: int = Field(gt=0)
    """Size of the needed files, about, for planning."""
    by_hand: str = ""
    """What to do where the set cannot be fetched: what to download and where to put it."""
    note: str = ""
    """What a user should know before relying on the set."""

    @model_validator(mode="after")
    def _can_be_had_somehow(self) -> "Publication":
        if self.files_url is None and not self.by_hand:
            raise ValueError("a publication without files_url needs by_hand, which says how to get it")
        if self.pinned and self.files_url is None:
            raise ValueError("a pinned list of checksums is of use only beside files_url")
        for path in (*self.known_mismatches, *self.addresses):
            if path.startswith("/") or ".." in PurePosixPath(path).parts:
                raise ValueError(f"'{path}' must be a path inside the corpus folder")
        return self


class Registry(Settings):
    """Hold every publication the project knows, by name."""

    publications: dict[Name, Publication]
    """The publications."""
