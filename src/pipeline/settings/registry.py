"""Read the registry of published corpora."""

from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import ValidationError

from pipeline.records.digests import file_digest, settings_digest
from pipeline.records.errors import UserError
from pipeline.settings.keys import nearest
from pipeline.settings.publications import Publication, Registry

_DECIDES_WHAT_COMES = {"files_url", "checksums", "pinned", "needed", "known_mismatches", "addresses", "unpack"}


def read_registry(path: Path) -> Registry:
    """Read and validate a registry. Raises `UserError` naming the file and the first entry that is wrong."""
    if not path.is_file():
        raise UserError(f"the registry of publications {path} does not exist; correct the setting 'registry'")
    try:
        return _located(Registry.model_validate(yaml.safe_load(path.read_bytes())), path.parent)
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: '{'.'.join(map(str, first['loc']))}': {first['msg']}") from error


def find_publications(registry: Registry, names: Iterable[str], key: str) -> dict[str, Publication]:
    """Return the named publications. Raises `UserError` where there is none of a name; `key` is where it stands."""
    names = list(names)
    for name in names:
        if name not in registry.publications:
            known = nearest(name, registry.publications)
            raise UserError(f"the configuration is not valid: {key}: there is no publication '{name}'{known}")
    return {name: registry.publications[name] for name in names}


def release_digest(publication: Publication) -> str:
    """Digest what decides which bytes a download brings; rewording a note changes nothing.

    Raises `UserError` where a pinned list is not there.
    """
    plain = publication.model_dump(mode="json", include=_DECIDES_WHAT_COMES, exclude_defaults=True)
    if not publication.pinned:
        return settings_digest(plain)
    pinned = Path(publication.checksums)
    if not pinned.is_file():
        raise UserError(f"the list of files {pinned} does not exist; correct the registry's checksums")
    return settings_digest({**plain, "checksums": file_digest(pinned)})


def _located(registry: Registry, folder: Path) -> Registry:
    """Return the registry with the pinned lists named relative to the working directory."""
    located = {
        name: entry.model_copy(update={"checksums": str(folder / entry.checksums)}) if entry.pinned else entry
        for name, entry in registry.publications.items()
    }
    return Registry(publications=located)
