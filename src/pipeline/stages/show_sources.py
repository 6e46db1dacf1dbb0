"""Print what a configuration would fetch: `python -m pipeline.stages.show_sources config/full.yaml`."""

import sys
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from pipeline.records.errors import UserError
from pipeline.records.sizes import readable_bytes
from pipeline.settings.config import Config, resolve
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.publications import Publication
from pipeline.settings.registry import find_publications, read_registry

COLUMNS = ("corpus", "from", "access", "files", "size", "licence", "where")


def tabulate_sources(config: Config) -> Table:
    """Return one row per corpus and publication: what it is, who may have it, how large it is, where it goes."""
    registry = read_registry(Path(config.registry))
    table = Table(title="What 'sources' brings")
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for name, corpus in config.corpora.items():
        source = corpus.source
        if isinstance(source, PhantomSource):
            table.add_row(name, "made here, synthetic", "open", "", "", "", "")
            continue
        for entry in find_publications(registry, source.publications, f"corpora.{name}.source").values():
            table.add_row(name, *_published(entry), source.root)
        if not source.publications:
            table.add_row(name, "there already", corpus.layout.access, "", "", "", source.root)
    return table


def _published(entry: Publication) -> tuple[str, ...]:
    by_hand = "" if entry.files_url else ", by hand"
    return (
        f"{entry.title} {entry.version}{by_hand}\n{entry.page}",
        entry.access,
        f"{entry.files:,}",
        readable_bytes(entry.bytes),
        entry.licence,
    )


if __name__ == "__main__":
    try:
        Console(width=160).print(tabulate_sources(resolve(yaml.safe_load(Path(sys.argv[1]).read_bytes()))))
    except (UserError, OSError, yaml.YAMLError) as error:
        sys.exit(f"error: {error}")
