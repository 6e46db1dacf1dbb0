"""Bring a corpus's raw files to where they are read from."""

from pathlib import Path

from pipeline.records.errors import UserError
from pipeline.settings.corpora import CorpusSettings, PhantomSource
from pipeline.sources.phantom.cohort import write_cohort


def fetch_raw(settings: CorpusSettings, name: str, generated: Path) -> Path:
    """Return the folder of the raw files; a phantom cohort is generated in `generated` first."""
    source = settings.source
    if isinstance(source, PhantomSource):
        write_cohort(generated, source, settings.layout.format)
        return generated
    return _existing_folder(Path(source.root), name)


def raw_root(settings: CorpusSettings, generated: Path) -> Path:
    """Return the folder of the raw files without fetching anything."""
    source = settings.source
    return generated if isinstance(source, PhantomSource) else Path(source.root)


def _existing_folder(root: Path, name: str) -> Path:
    if not root.is_dir():
        raise UserError(
            f"corpus {name}: the folder {root} does not exist; put the publisher's files there "
            f"(README, 'Real data') or correct corpora.{name}.source.root"
        )
    return root
