"""The phantom cohort as a raw QaTa-COV19-v2 tree (spec PaCX 1.10): everyone has COVID-19."""

from pathlib import Path

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.folders import Case, deal_cases, make_folders, write_film, write_mask
from pipeline.sources.phantom.illness import Illness
from pipeline.sources.phantom.risk import Finding
from pipeline.sources.phantom.truth import TruthRecorder

PARTS = {"train": "Train Set", "val": "Train Set", "test": "Test Set"}


def write_tree(root: Path, source: PhantomSource) -> None:
    """Write both parts and the truth into the empty folder `root`."""
    make_folders(root, ("QaTa-COV19-v2",), PARTS.values(), ("Images", "Ground-truths"))
    truth = TruthRecorder(root)
    for case in deal_cases(source, [Illness.COVID19], "qata parts"):
        shot, name = case.film(source), image_name(case)
        folder = f"QaTa-COV19-v2/{PARTS[case.part]}"
        image = f"{folder}/Images/{name}"
        write_film(root / image, shot.image)
        write_mask(root / folder / "Ground-truths" / f"mask_{name}", shot.lesions[Finding.CONSOLIDATION])
        truth.record(image, case.patient, case.study, "frontal", shot)
    truth.write_table()


def image_name(case: Case) -> str:
    """Return a name as in one of the two sources that the set was collected from; BIMCV's tell who it is."""
    if case.patient.number % 2:
        return f"covid_{case.number}.png"
    subject, session = f"S{case.patient.number + 3000:05d}", f"E{case.number + 6000:05d}"
    return f"sub-{subject}_ses-{session}_run-1_bp-chest_vp-{case.study.view.lower()}_dx.png"
