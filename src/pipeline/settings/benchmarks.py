"""Settings of the benchmarks: what is predicted, on which corpus, by which protocol."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.settings.base import Fraction, Name, Settings
from pipeline.settings.probes import LinearProbeSettings, RidgeSettings

PolicyName = Literal["u_zeros", "u_ones", "u_ignore", "certain_only", "medical_mae", "cxr_vis_eval"]
"""The policies of `pipeline.manifests.label_policies`."""


class LabelRule(Settings):
    """Say what a finding counts as where nobody is sure."""

    uncertain: Literal["present", "absent", "ignored"]
    """What a label that says `uncertain` counts as; `ignored` leaves the image out for this finding."""
    unknown: Literal["absent", "ignored"]
    """What a finding counts as that the labels do not mention."""


class FindingsTarget(Settings):
    """Predict the presence of each named finding, one class per finding."""

    kind: Literal["findings"]
    findings: tuple[Name, ...] = Field(min_length=1)
    """Findings of the vocabulary, each once."""
    policy: PolicyName = "certain_only"
    """What uncertain and missing labels count as. CheXpert's `u_zeros`, `u_ones` and `u_ignore` take a missing label
    for absent; `certain_only` ignores both; `medical_mae` and `cxr_vis_eval` have a rule for each of CheXpert's five
    findings, as published (spec Medical MAE, A3 and B7)."""
    overrides: dict[Name, LabelRule] = Field(default_factory=dict)
    """Findings whose rule is another than the policy's."""

    @model_validator(mode="after")
    def _each_finding_once(self) -> "FindingsTarget":
        if len(set(self.findings)) < len(self.findings):
            raise ValueError("findings names one twice; a class can be predicted once")
        return self

    @model_validator(mode="after")
    def _overrides_take_effect(self) -> "FindingsTarget":
        for finding in self.overrides:
            if finding not in self.findings:
                raise ValueError(f"overrides names '{finding}', which is not among the findings; remove it")
        return self


class AttributeTarget(Settings):
    """Predict a property of the image or patient that is not a finding."""

    kind: Literal["attribute"]
    column: Literal["view", "sex"]
    """Manifest column that is predicted."""
    positive: str
    """Value that is the positive class."""
    negative: str
    """Value that is the negative class; images with any other value are left out and counted."""

    @model_validator(mode="after")
    def _classes_differ(self) -> "AttributeTarget":
        if self.positive == self.negative:
            raise ValueError(f"positive and negative are both '{self.positive}'")
        return self


Target = Annotated[FindingsTarget | AttributeTarget, Field(discriminator="kind")]


class BenchmarkSettings(Settings):
    """Describe one benchmark."""

    corpus: Name
    """Corpus whose train split fits, val split selects and test split scores."""
    target: Target
    """What is predicted."""
    views: tuple[Literal["AP", "PA", "LATERAL"], ...] = ("AP", "PA")
    """Views that take part; empty for all."""
    fraction: Fraction = 1.0
    """Share of the training patients the probe sees; smaller shares are nested in larger ones."""
    seed: int = 0
    """Seed of the fraction's draw."""


Probe = Annotated[LinearProbeSettings | RidgeSettings, Field(discriminator="kind")]


class ProtocolSettings(Settings):
    """Say how features become scores, and for which encoders."""

    probe: Probe
    """The head fitted on frozen features."""
    encoders: tuple[Name, ...] = Field(min_length=1)
    """Pretraining runs and controls that are evaluated this way."""
