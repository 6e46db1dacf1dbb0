"""Stage of rule audit_leakage: fail the build where anything tested on was trained on."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.manifests.leakage import Part, audit, report, require_no_leak
from pipeline.manifests.schema import read_manifest
from pipeline.records.publish import publish_json


def audit_leakage(manifests: Mapping[str, Path], trained: list[Part], tested: list[Part], audit_file: Path) -> None:
    """Compare every trained part with every tested part and publish the counts.

    Args:
        manifests: Manifest file of each corpus.
        trained: Corpus and split of everything an encoder or probe is fitted on.
        tested: Corpus and split of everything a number is reported on.
        audit_file: JSON file to publish; written only when nothing is shared.

    Raises:
        UserError: A trained and a tested part share a patient, a study or an image file.
    """
    overlaps = audit({name: read_manifest(path) for name, path in manifests.items()}, trained, tested)
    require_no_leak(overlaps)
    publish_json(audit_file, report(overlaps))
