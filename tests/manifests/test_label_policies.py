import subprocess
import sys
from typing import get_args

import pytest
from pydantic import ValidationError

from pipeline.manifests.label_policies import POLICIES, label_rules
from pipeline.manifests.vocabulary import FINDINGS
from pipeline.records.errors import UserError
from pipeline.settings.benchmarks import FindingsTarget, PolicyName

CHEXPERT_FIVE = ("cardiomegaly", "edema", "consolidation", "atelectasis", "pleural_effusion")


def target(*findings: str, **fields: object) -> FindingsTarget:
    return FindingsTarget.model_validate({"kind": "findings", "findings": findings, **fields})


def test_the_settings_offer_exactly_the_policies_there_are() -> None:
    assert set(get_args(PolicyName)) == set(POLICIES)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        # spec Medical MAE, G: golden row 'U-policy CheXpert'
        ("medical_mae", ["absent", "present", "absent", "present", "absent"]),
        ("cxr_vis_eval", ["absent", "present", "absent", "present", "present"]),
        # Irvin et al. 2019, section 3
        ("u_zeros", ["absent"] * 5),
        ("u_ones", ["present"] * 5),
        ("u_ignore", ["ignored"] * 5),
    ],
)
def test_a_policy_reads_uncertain_as_published_and_a_blank_as_absent(policy: str, expected: list[str]) -> None:
    rules = label_rules(target(*CHEXPERT_FIVE, policy=policy))
    assert [rule.uncertain for rule in rules.values()] == expected
    assert {rule.unknown for rule in rules.values()} == {"absent"}


def test_only_certain_labels_count_where_the_policy_says_so() -> None:
    rules = label_rules(target(*FINDINGS, policy="certain_only"))
    assert tuple(rules) == FINDINGS
    assert {(rule.uncertain, rule.unknown) for rule in rules.values()} == {("ignored", "ignored")}


def test_a_policy_that_says_nothing_of_a_finding_is_refused_until_an_override_does() -> None:
    with pytest.raises(UserError, match="policy 'medical_mae' says nothing of 'hernia', only of cardiomegaly"):
        label_rules(target("edema", "hernia", policy="medical_mae"))
    own = {"hernia": {"uncertain": "present", "unknown": "ignored"}}
    rules = label_rules(target("edema", "hernia", policy="medical_mae", overrides=own))
    assert rules["hernia"].model_dump() == own["hernia"]
    assert rules["edema"].uncertain == "present"


def test_a_finding_that_is_not_in_the_vocabulary_is_named() -> None:
    with pytest.raises(UserError, match="no finding 'oedema' in the vocabulary; did you mean 'edema'"):
        label_rules(target("oedema"))


def test_an_override_without_effect_is_refused() -> None:
    rule = {"uncertain": "present", "unknown": "absent"}
    with pytest.raises(ValidationError, match="overrides names 'hernia', which is not among the findings"):
        target("edema", overrides={"hernia": rule})


def test_policies_are_there_without_the_packages_for_tables() -> None:
    check = "import pipeline.manifests.label_policies, sys; print('polars' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
