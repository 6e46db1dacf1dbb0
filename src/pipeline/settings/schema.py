"""Write the JSON schema of the configuration, for editors and for the workflow catalogue."""

import sys
from pathlib import Path

import yaml

from pipeline.records.publish import publish_text
from pipeline.settings.config import Config

_HEAD = "# Generated from src/pipeline/settings by `make docs`; a test compares the two.\n"


def schema_text() -> str:
    """Return the schema as YAML."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
    return _HEAD + yaml.safe_dump(schema, sort_keys=False, allow_unicode=True, width=110)


if __name__ == "__main__":
    publish_text(Path(sys.argv[1]), schema_text())
