"""What a configuration can get wrong that its models cannot see, found before anything runs."""

from pipeline.manifests.vocabulary import FINDINGS, SEXES, VIEWS
from pipeline.records.errors import UserError
from pipeline.settings.benchmarks import AttributeTarget
from pipeline.settings.config import Config
from pipeline.settings.corpora import PhantomSource
from pipeline.settings.keys import nearest
from pipeline.sources.locations import PHANTOM_LAYOUTS

ATTRIBUTE_VALUES = {"view": VIEWS, "sex": SEXES}


def check_configuration(config: Config) -> None:
    """Raise `UserError` for a finding, an attribute's value or a phantom's layout that does not exist."""
    for name, benchmark in config.benchmarks.items():
        target = benchmark.target
        if isinstance(target, AttributeTarget):
            values, known = (target.positive, target.negative), ATTRIBUTE_VALUES[target.column]
            _require(f"benchmarks.{name}.target", f"value of '{target.column}'", values, known)
        else:
            _require(f"benchmarks.{name}.target.findings", "finding", target.findings, FINDINGS)
    for name, corpus in config.corpora.items():
        if isinstance(corpus.source, PhantomSource):
            _require(
                f"corpora.{name}.layout.format", "phantom cohort in layout", (corpus.layout.format,), PHANTOM_LAYOUTS
            )


def _require(key: str, what: str, values: tuple[str, ...], known: tuple[str, ...]) -> None:
    for value in values:
        if value not in known:
            raise UserError(
                f"the configuration is not valid: {key}: there is no {what} '{value}'{nearest(value, known)}"
            )
