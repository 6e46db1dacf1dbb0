"""The whole configuration, and the sentences a person reads when it is wrong."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field, ValidationError, model_validator

from pipeline.records.errors import UserError
from pipeline.settings.audit import AuditSettings
from pipeline.settings.base import Name, Settings
from pipeline.settings.benchmarks import BenchmarkSettings, ProtocolSettings
from pipeline.settings.corpus import CorpusSettings
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.encoders import ControlSettings, ForeignEncoderSettings, RandomEncoderSettings
from pipeline.settings.evaluation import FeatureSettings
from pipeline.settings.keys import nearest, own_keys, valid_keys
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.settings.probes import BootstrapSettings
from pipeline.settings.reporting import ReportSettings

OPEN_DATA = "{open_data}"
"""What stands for the folder of open corpora in a source's root."""


class Config(Settings):
    """Describe everything `all` builds; holds science only, never hardware."""

    pathvars: dict[str, str] = Field(default_factory=dict)
    """Where Snakemake puts things: `results` and others (see Snakemake's documentation of pathvars)."""
    open_data: str | None = None
    """Folder that holds the openly licensed corpora already, whose sources then download nothing; `{open_data}` in a
    source's root stands for it, or for `data/open` where it is not given."""
    registry: str = "config/corpora.yaml"
    """File that says what publications there are and how they are had, relative to the working directory."""
    corpora: dict[Name, CorpusSettings]
    """The corpora, by name."""
    pretrain: dict[Name, PretrainingSettings]
    """The pretraining runs, by name; each gives an encoder of that name."""
    controls: dict[Name, ControlSettings]
    """Encoders not trained here that every run is compared with, by name."""
    protocols: dict[Name, ProtocolSettings]
    """Evaluation protocols, by name."""
    benchmarks: dict[Name, BenchmarkSettings]
    """The benchmarks, by name."""
    comparisons: dict[Name, tuple[Name, ...]] = Field(default_factory=dict)
    """Runs that each run is compared with, besides the controls that all are compared with."""
    features: FeatureSettings = FeatureSettings()
    """How features are computed."""
    audit: AuditSettings = AuditSettings()
    """What the leakage audit takes for the same image, and which overlaps are accepted."""
    bootstrap: BootstrapSettings = BootstrapSettings()
    """How intervals are computed."""
    report: ReportSettings = ReportSettings()
    """What stands at the head of the report."""

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> "Config":
        encoders = [*self.pretrain, *self.controls]
        for twice in set(self.pretrain) & set(self.controls):
            raise ValueError(f"'{twice}' names both a pretraining run and a control; rename one")
        self._lenders_exist()
        for name, run in self.pretrain.items():
            self._require_shards(f"pretrain.{name}.corpora", run.corpora)
            self._beginning_exists(name, run)
        for name, control in self.controls.items():
            if isinstance(control, RandomEncoderSettings):
                _require(f"controls.{name}.like", [control.like], self._shaped(), "pretraining run or foreign encoder")
            if isinstance(control, ForeignEncoderSettings):
                _require(f"controls.{name}.trained_on", control.trained_on, self.corpora, "corpus")
        for name, protocol in self.protocols.items():
            _require(f"protocols.{name}.encoders", protocol.encoders, encoders, "encoder")
        for name, benchmark in self.benchmarks.items():
            self._require_shards(f"benchmarks.{name}.corpus", [benchmark.corpus])
        self._runs_can_be_compared()
        return self

    def _runs_can_be_compared(self) -> None:
        for name, others in self.comparisons.items():
            _require("comparisons", [name], self.pretrain, "pretraining run")
            _require(f"comparisons.{name}", others, [run for run in self.pretrain if run != name], "other run")
            if len(set(others)) < len(others):
                raise ValueError(f"comparisons.{name} names a run twice")
            for other in others:
                if not any({name, other} <= set(protocol.encoders) for protocol in self.protocols.values()):
                    raise ValueError(f"comparisons.{name}: no protocol evaluates both '{name}' and '{other}'; add them")

    def _shaped(self) -> dict[str, EncoderSettings]:
        """Return the encoders whose shape the configuration states."""
        foreign = {
            name: control.encoder
            for name, control in self.controls.items()
            if isinstance(control, ForeignEncoderSettings)
        }
        return {name: run.encoder for name, run in self.pretrain.items()} | foreign

    def _beginning_exists(self, name: str, run: PretrainingSettings) -> None:
        """Refuse a run that starts from no vision transformer, or that waits for itself."""
        starts, reached = run.initial, {name}
        while starts is not None:
            transformers = [*self._shaped(), *self._random_controls()]
            _require(f"pretrain.{name}.initial", [starts], transformers, "vision transformer")
            if starts in reached:
                raise ValueError(f"pretrain.{name}.initial leads back to '{starts}'; let one run start anew")
            reached.add(starts)
            self._require_same_shape(name, run.encoder, starts)
            starts = self.pretrain[starts].initial if starts in self.pretrain else None

    def _require_same_shape(self, name: str, encoder: EncoderSettings, initial: str) -> None:
        """Refuse what weights cannot be converted between, so far as both state it, before anything is trained."""
        control = self.controls.get(initial)
        shape = self._shaped()[control.like if isinstance(control, RandomEncoderSettings) else initial]
        for field in ("architecture", "patch_size", "width", "depth", "heads"):
            ours, theirs = getattr(encoder, field), getattr(shape, field)
            if None not in (ours, theirs) and ours != theirs:
                raise ValueError(
                    f"pretrain.{name}.initial: '{initial}' has {field} {theirs}, the run's own encoder {ours}; make "
                    "them equal"
                )

    def _random_controls(self) -> list[str]:
        return [name for name, control in self.controls.items() if isinstance(control, RandomEncoderSettings)]

    def _require_shards(self, key: str, corpora: Iterable[str]) -> None:
        _require(key, corpora, self.corpora, "corpus")
        for corpus in corpora:
            if self.corpora[corpus].shards is None:
                raise ValueError(f"{key}: corpus '{corpus}' has no shards; give it corpora.{corpus}.shards")

    def _lenders_exist(self) -> None:
        for name, corpus in self.corpora.items():
            for role, lender in corpus.layout.borrowed().items():
                others = [other for other in self.corpora if other != name]
                _require(f"corpora.{name}.layout.{role}_of", [lender], others, "other corpus")
            self._exclusions_end(name)
        for place, overlap in enumerate(self.audit.accept):
            for part in (overlap.trained, overlap.tested):
                _require(f"audit.accept.{place}", [part.split("/")[0]], self.corpora, "corpus")

    def _exclusions_end(self, name: str) -> None:
        """Refuse corpora that wait for each other's manifests."""
        waiting, reached = [name], set[str]()
        while waiting:
            exclusions = self.corpora[waiting.pop()].splits.exclude
            others = [exclusion.patients_of for exclusion in exclusions]
            _require(f"corpora.{name}.splits.exclude", others, self.corpora, "corpus")
            if name in others:
                raise ValueError(
                    f"corpora.{name}.splits.exclude leads back to '{name}' itself; let only one of two corpora give way"
                )
            waiting += set(others) - reached
            reached |= set(others)


def resolve(raw: Mapping[str, Any]) -> Config:
    """Validate a configuration and fill in every default.

    Raises `UserError` that names every wrong key, what is wrong with it, and for an unknown key the
    nearest valid name.
    """
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        lines = [_sentence(detail["loc"], detail["type"], detail["msg"]) for detail in error.errors()]
        raise UserError("the configuration is not valid: " + "; ".join(lines)) from error
    return _with_open_data(config)


def _with_open_data(config: Config) -> Config:
    """Replace `{open_data}` in the roots of sources; where the folder is given, nothing below it is downloaded."""
    plain = config.model_dump(mode="json")
    for corpus in plain["corpora"].values():
        source = corpus["source"]
        if OPEN_DATA in source.get("root", ""):
            source["root"] = source["root"].replace(OPEN_DATA, config.open_data or "data/open")
            source["kind"] = "local" if config.open_data else source["kind"]
    return Config.model_validate(plain)


def _require(key: str, names: Iterable[str], known: Iterable[str], what: str) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            raise ValueError(f"{key}: there is no {what} '{name}'{nearest(name, known)}")


def _sentence(location: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ".".join(own_keys(Config, location)) or "configuration"
    if kind == "extra_forbidden":
        return f"unknown key '{key}'{nearest(str(location[-1]), valid_keys(Config, location[:-1]))}"
    if kind == "missing":
        return f"key '{key}' is missing"
    reason = message.removeprefix("Value error, ")
    return f"'{key}': {reason}" if location else reason
