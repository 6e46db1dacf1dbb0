"""Leakage between corpora, as it is in the real sets and so in the phantom ones, is caught."""

from pathlib import Path

import pytest
from corpus_stages import RawFolder

from pipeline.manifests.leakage import Pair, Part
from pipeline.records.audits import read_audit
from pipeline.records.errors import UserError
from pipeline.settings.audit import AuditSettings
from pipeline.settings.base import parse
from pipeline.settings.corpora import PhantomSource, ShardSettings, SplitSettings
from pipeline.settings.layouts.union import Layout
from pipeline.sources.phantom.cohort import write_cohort
from pipeline.stages.audit_leakage import audit_leakage

SOURCE = PhantomSource(kind="phantom", patients=24, image_size=96)
CUT = SplitSettings(scheme="patient", test_fraction=0.4, val_fraction=0.2)


def build(folder: Path, layout: str, source: PhantomSource) -> tuple[Path, Path]:
    """Write a phantom corpus and return its manifest and its shards' index."""
    raw = RawFolder(folder / layout, parse(Layout, {"format": layout}))
    write_cohort(raw.root, source, layout)
    raw.fetch()
    manifest = raw.build(CUT)
    return manifest, raw.shard(ShardSettings(image_size=64), manifest)


def compare(folder: Path, trained: str, tested: str, settings: AuditSettings, source: PhantomSource = SOURCE) -> Path:
    """Publish the audit of two corpora of the same films; `source` gives the tested one other patients."""
    built = {trained: build(folder, trained, SOURCE), tested: build(folder, tested, source)}
    audit_leakage(
        manifests={layout: manifest for layout, (manifest, _) in built.items()},
        indexes={layout: index for layout, (_, index) in built.items()},
        pairs=[Pair(Part(trained, split), Part(tested, "test")) for split in ("train", "val")],
        settings=settings,
        confidential=(),
        audit_file=folder / "leakage.json",
    )
    return folder / "leakage.json"


@pytest.mark.parametrize(
    ("trained", "tested", "shared"),
    [
        ("nih_cxr14", "tb_rahman", "near-identical images"),  # its normal films are theirs, made smaller
        ("covid_qu_ex", "qata_cov19", "identical images"),  # the one has taken them from the other
    ],
)
def test_films_that_one_corpus_took_from_another_stop_the_build(
    tmp_path: Path, trained: str, tested: str, shared: str
) -> None:
    with pytest.raises(UserError, match=rf"{trained}/train.*{tested}/test.*[1-9]\d* {shared}.*audit\.accept"):
        compare(tmp_path, trained, tested, AuditSettings())
    assert not (tmp_path / "leakage.json").exists()


def test_an_accepted_overlap_passes_and_keeps_its_reason(tmp_path: Path) -> None:
    accepted = [
        {
            "trained": f"nih_cxr14/{split}",
            "tested": "tb_rahman/test",
            "kinds": ["near_identical_images", "identical_images"],
            "reason": "only the abnormal films are scored",
        }
        for split in ("train", "val")
    ]
    audit = read_audit(compare(tmp_path, "nih_cxr14", "tb_rahman", AuditSettings.model_validate({"accept": accepted})))
    reasons = [reason for overlap in audit.compared for reason in overlap.accepted.values()]
    assert set(reasons) == {"only the abnormal films are scored"}


def test_corpora_of_other_people_share_nothing(tmp_path: Path) -> None:
    others = SOURCE.model_copy(update={"first_patient": 501})
    audit = read_audit(compare(tmp_path, "nih_cxr14", "kermany", AuditSettings(), others))
    assert audit.clean
    assert len(audit.compared) == 2
