"""Collect from a configuration what went into an encoder: its corpora, and those of all whose weights are in it."""

from collections.abc import Iterable, Iterator
from pathlib import PurePath

from pipeline.reporting.provenance import Ancestor, CorpusOrigin, Provenance, Release
from pipeline.settings.config import Config
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.encoders import ControlSettings, ForeignEncoderSettings, PixelsEncoderSettings
from pipeline.settings.layouts.base import Access
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.settings.publications import Publication, Registry

_BY_DEMAND: tuple[Access, ...] = ("open", "registration", "restricted", "credentialed")


def provenance_of(config: Config, registry: Registry, encoder: str) -> Provenance:
    """Collect what the card of an encoder states. Raises `KeyError` for names that a valid configuration has not."""
    lineage = tuple(_lineage(config, encoder))
    corpora = dict.fromkeys(corpus for one in lineage for corpus in _learnt_from(one.settings))
    return Provenance(
        lineage=lineage,
        encoder=_shape(config, lineage[0].settings),
        corpora={corpus: _origin(config, registry, corpus) for corpus in corpora},
    )


def _lineage(config: Config, encoder: str) -> Iterator[Ancestor]:
    name: str | None = encoder
    while name is not None:
        settings = config.pretrain[name] if name in config.pretrain else config.controls[name]
        yield Ancestor(name=name, settings=_without_folder(settings))
        name = settings.initial if isinstance(settings, PretrainingSettings) else None


def _learnt_from(settings: PretrainingSettings | ControlSettings) -> tuple[str, ...]:
    if isinstance(settings, PretrainingSettings):
        return settings.corpora
    return settings.trained_on if isinstance(settings, ForeignEncoderSettings) else ()


def _without_folder(settings: PretrainingSettings | ControlSettings) -> PretrainingSettings | ControlSettings:
    """Return settings that name a checkpoint's file alone: where on a machine it lies is no business of a card."""
    if isinstance(settings, ForeignEncoderSettings) and settings.file:
        return settings.model_copy(update={"file": PurePath(settings.file).name})
    return settings


def _shape(config: Config, settings: PretrainingSettings | ControlSettings) -> EncoderSettings | None:
    if isinstance(settings, PretrainingSettings | ForeignEncoderSettings):
        return settings.encoder
    if isinstance(settings, PixelsEncoderSettings):
        return None
    return _shape(config, next(_lineage(config, settings.like)).settings)


def _origin(config: Config, registry: Registry, corpus: str) -> CorpusOrigin:
    """Describe a corpus together with those that it borrows files of."""
    parts = [config.corpora[name] for name in (corpus, *config.corpora[corpus].layout.borrowed().values())]
    real = [part for part in parts if not isinstance(part.source, PhantomSource)]
    names = dict.fromkeys(name for part in real for name in getattr(part.source, "publications", ()))
    releases = {name: _release(registry.publications[name]) for name in names}
    return CorpusOrigin(
        synthetic=not real,
        access=_most([part.layout.access for part in real] + [release.access for release in releases.values()]),
        releases=releases,
    )


def _release(publication: Publication) -> Release:
    return Release.model_validate(publication.model_dump(include=set(Release.model_fields)))


def _most(access: Iterable[Access]) -> Access:
    return max(access, key=_BY_DEMAND.index, default="open")
