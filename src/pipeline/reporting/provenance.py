"""What an encoder was made of, and on whose terms: all that its model card states of a configuration."""

from pipeline.settings.base import Name, Settings
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.encoders import ControlSettings, ForeignEncoderSettings
from pipeline.settings.layouts.base import Access
from pipeline.settings.pretraining import PretrainingSettings


class Release(Settings):
    """Name one publisher's data set and its terms."""

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
    page: str
    """Page of the set, where its terms are read."""


class CorpusOrigin(Settings):
    """Say where a corpus comes from."""

    synthetic: bool
    """Whether it was generated, and shows nobody."""
    access: Access
    """The most that a publisher asks for whose data it holds; of synthetic corpora, nothing."""
    releases: dict[Name, Release]
    """The data sets it is read from, by their names in the registry, those that it borrows files of among them."""


class Ancestor(Settings):
    """Name an encoder and what made it."""

    name: Name
    """Its name in the configuration."""
    settings: PretrainingSettings | ControlSettings
    """The run that trained it, or what kind of control it is."""


class Provenance(Settings):
    """Say what an encoder, and all whose weights are in it, were made of."""

    lineage: tuple[Ancestor, ...]
    """The encoder itself, the one it started from, the one before that, and so on."""
    encoder: EncoderSettings | None
    """Its shape and normalisation; none for the pixel baseline."""
    corpora: dict[Name, CorpusOrigin]
    """Every corpus that any of the lineage was trained on, by others too so far as the configuration holds it."""

    @property
    def itself(self) -> Ancestor:
        """Return the encoder."""
        return self.lineage[0]

    @property
    def ancestors(self) -> tuple[Ancestor, ...]:
        """Return those whose weights it started from, the nearest first."""
        return self.lineage[1:]

    @property
    def foreign(self) -> dict[str, ForeignEncoderSettings]:
        """Return those of the lineage that others trained, by name."""
        return {one.name: one.settings for one in self.lineage if isinstance(one.settings, ForeignEncoderSettings)}

    def releases(self, bound: bool) -> dict[str, Release]:
        """Return the data sets that are bound to an agreement or account, or those that are open."""
        every = {name: release for corpus in self.corpora.values() for name, release in corpus.releases.items()}
        return {name: release for name, release in every.items() if (release.access != "open") is bound}

    @property
    def bound(self) -> list[str]:
        """Return the corpora whose data are not open to everybody."""
        return [name for name, corpus in self.corpora.items() if corpus.access != "open"]
