"""What a configuration can get wrong that its models cannot see, found before anything runs."""

from pipeline.manifests.label_policies import label_rules
from pipeline.manifests.vocabulary import FINDINGS, SEXES, VIEWS
from pipeline.records.errors import UserError
from pipeline.settings.benchmarks import AttributeTarget, FindingsTarget
from pipeline.settings.config import Config
from pipeline.settings.keys import nearest

ATTRIBUTE_VALUES = {"view": VIEWS, "sex": SEXES}


def check_configuration(config: Config) -> None:
    """Raise `UserError` for a finding, an attribute's value or a label's rule that does not exist."""
    for name, benchmark in config.benchmarks.items():
        target = benchmark.target
        if isinstance(target, AttributeTarget):
            values, known = (target.positive, target.negative), ATTRIBUTE_VALUES[target.column]
            _require(f"benchmarks.{name}.target", f"value of '{target.column}'", values, known)
        else:
            _require(f"benchmarks.{name}.target.findings", "finding", target.findings, FINDINGS)
            _require_rules(name, target)


def _require_rules(benchmark: str, target: FindingsTarget) -> None:
    try:
        label_rules(target)
    except UserError as error:
        raise UserError(f"the configuration is not valid: benchmarks.{benchmark}.target: {error}") from error


def _require(key: str, what: str, values: tuple[str, ...], known: tuple[str, ...]) -> None:
    for value in values:
        if value not in known:
            raise UserError(
                f"the configuration is not valid: {key}: there is no {what} '{value}'{nearest(value, known)}"
            )
