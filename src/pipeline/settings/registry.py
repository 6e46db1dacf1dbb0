"""Read the registry of published corpora."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from pipeline.records.digests import settings_digest
from pipeline.records.errors import UserError
from pipeline.settings.publications import Publication, Registry

_WORDS_FOR_PEOPLE = {"serves", "title", "publisher", "licence", "access", "page", "files", "bytes", "by_hand", "note"}


def read_registry(path: Path) -> Registry:
    """Read and validate a registry. Raises `UserError` naming the file and the first entry that is wrong."""
    if not path.is_file():
        raise UserError(f"the registry of publications {path} does not exist; correct the setting 'registry'")
    try:
        return Registry.model_validate(yaml.safe_load(path.read_bytes()))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: '{'.'.join(map(str, first['loc']))}': {first['msg']}") from error


def release_digest(publication: Publication) -> str:
    """Digest what decides which bytes a download brings; rewording a note changes nothing."""
    return settings_digest(publication.model_dump(mode="json", exclude=_WORDS_FOR_PEOPLE))
