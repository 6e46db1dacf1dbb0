"""Label policies: what an uncertain or a missing label of a finding counts as.

Plain Python, since evaluation reads it where the tables' packages may be absent.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.manifests.vocabulary import FINDINGS
from pipeline.records.errors import UserError
from pipeline.settings.benchmarks import FindingsTarget, LabelRule
from pipeline.settings.keys import nearest

Policy = Mapping[str, LabelRule]
"""A rule for each finding the policy speaks of."""

_AS_PRESENT = LabelRule(uncertain="present", unknown="absent")
_AS_ABSENT = LabelRule(uncertain="absent", unknown="absent")
_LEFT_OUT = LabelRule(uncertain="ignored", unknown="absent")
_NEITHER = LabelRule(uncertain="ignored", unknown="ignored")


def _for_every_finding(rule: LabelRule) -> Policy:
    return MappingProxyType(dict.fromkeys(FINDINGS, rule))


POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "u_zeros": _for_every_finding(_AS_ABSENT),
        "u_ones": _for_every_finding(_AS_PRESENT),
        "u_ignore": _for_every_finding(_LEFT_OUT),
        "certain_only": _for_every_finding(_NEITHER),
        "medical_mae": MappingProxyType(
            {
                "cardiomegaly": _AS_ABSENT,
                "edema": _AS_PRESENT,
                "consolidation": _AS_ABSENT,
                "atelectasis": _AS_PRESENT,
                "pleural_effusion": _AS_ABSENT,
            }
        ),
        "cxr_vis_eval": MappingProxyType(
            {
                "atelectasis": _AS_PRESENT,
                "cardiomegaly": _AS_ABSENT,
                "consolidation": _AS_ABSENT,
                "edema": _AS_PRESENT,
                "pleural_effusion": _AS_PRESENT,
            }
        ),
    }
)
"""The named policies. `u_zeros`, `u_ones` and `u_ignore` are those of CheXpert (Irvin et al. 2019), whose blanks
count as absent; `certain_only` believes neither a doubt nor a silence; `medical_mae` is what its CheXpert
fine-tuning did (spec Medical MAE, A3), `cxr_vis_eval` what CXR-MIM's evaluation did (spec, B7)."""


def label_rules(target: FindingsTarget) -> dict[str, LabelRule]:
    """Return the rule of each finding of a target, in the target's order.

    Raises `UserError` where a finding is not in the vocabulary, or the policy says nothing of it and
    no override does.
    """
    for finding in target.findings:
        if finding not in FINDINGS:
            raise UserError(f"there is no finding '{finding}' in the vocabulary{nearest(finding, FINDINGS)}")
    policy = {**POLICIES[target.policy], **target.overrides}
    for finding in target.findings:
        if finding not in policy:
            raise UserError(
                f"label policy '{target.policy}' says nothing of '{finding}', only of {', '.join(policy)}; "
                f"give its rule in overrides.{finding}, or choose another policy"
            )
    return {finding: policy[finding] for finding in target.findings}
