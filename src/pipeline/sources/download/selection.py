"""Choose the needed files of a list by globs."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from pipeline.records.errors import UserError
from pipeline.sources.download.checksums import ChecksumList, Listed

_SPECIAL = re.compile(r"(\*\*/|\*\*|\*|\?|\[[^\]/]+\])")
_OFFERED_FROM = 10_000  # names; comparing more takes seconds
_IDENTIFIER = re.compile(r"\d{5}|[0-9a-f]{8}")


def select(checksums: ChecksumList, globs: Iterable[str]) -> list[Listed]:
    """Return the listed files that any glob matches, in the order of the list.

    Raises `UserError` for a glob that matches nothing, offering the nearest name in its folder.
    """
    chosen: set[str] = set()
    for glob in globs:
        matched = _matching(glob, checksums.files)
        if not matched:
            raise UserError(f"{checksums.name} lists no file that matches '{glob}'{_offer(glob, checksums.files)}")
        chosen.update(matched)
    return [file for path, file in checksums.files.items() if path in chosen]


def glob_pattern(glob: str) -> re.Pattern[str]:
    """Translate a glob over whole relative paths: `*` and `?` stay inside a folder, `**` spans any number of them."""
    translated = {"**/": r"(?:.*/)?", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    parts = (translated.get(part) or _literal_or_set(part) for part in _SPECIAL.split(glob))
    return re.compile("".join(parts))


def _literal_or_set(part: str) -> str:
    if len(part) < 3 or (part[0], part[-1]) != ("[", "]"):
        return re.escape(part)
    members = re.sub(r"([\\\[^&~|])", r"\\\1", part[1:-1])
    return f"[^/{members[1:]}]" if members.startswith("!") else f"[{members}]"


def _matching(glob: str, files: Mapping[str, Listed]) -> list[str]:
    """Return the paths that a glob matches; one that is a listed path stands for itself, whatever signs it holds."""
    if glob in files:
        return [glob]
    return list(filter(glob_pattern(glob).fullmatch, files))


def _offer(glob: str, files: Mapping[str, Listed]) -> str:
    """Offer the nearest names in the glob's folder, leaving out what may be a patient's number."""
    folder = glob.rpartition("/")[0]
    start, depth = (f"{folder}/" if folder else ""), glob.count("/") + 1
    siblings = {"/".join(path.split("/")[:depth]) for path in files if path.startswith(start)}
    names = sorted(name for name in siblings | {path.split("/")[0] for path in files} if not _IDENTIFIER.search(name))
    close = get_close_matches(glob, names[:_OFFERED_FROM], n=3, cutoff=0.4)
    return f"; the nearest are {', '.join(close)}" if close else ""
