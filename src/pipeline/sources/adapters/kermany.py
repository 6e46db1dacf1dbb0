"""Kermany's paediatric X-rays: everything that is known of an image stands in its file name."""

import re
from pathlib import Path, PurePosixPath

import polars as pl

from pipeline.manifests.vocabulary import ABSENT, PRESENT, finding_column
from pipeline.records.errors import UserError
from pipeline.settings.layouts.collections import KermanyLayout
from pipeline.sources.adapter import RawCorpus, complete_rows
from pipeline.sources.locations import Trees
from pipeline.sources.tables import find_images

SICK = re.compile(r"^(?P<patient>person\d+)_(?P<germ>bacteria|virus)_\d+$")
HEALTHY = re.compile(r"^(?P<series>NORMAL2-)?IM-(?P<patient>\d+)-\d+(-\d+)*$")


def read_corpus(trees: Trees, layout: KermanyLayout) -> RawCorpus:
    """Read the file names; the publisher's parts are left out, since their patient numbers start anew."""
    root = trees.own
    files = find_images(root, layout.images)
    if not files:
        raise UserError(f"{root} holds no image that matches '{layout.images}'; correct the corpus's layout settings")
    rows = pl.DataFrame([_row(path, root) for path in files.values()])
    return RawCorpus(complete_rows(rows), tables=())


def _row(path: str, root: Path) -> dict[str, str | float | None]:
    stem = PurePosixPath(path).stem
    sick, healthy = SICK.match(stem), HEALTHY.match(stem)
    if sick:
        patient, germ = sick["patient"], sick["germ"]
    elif healthy:
        patient, germ = f"{'N2' if healthy['series'] else 'N1'}-{healthy['patient']}", None
    else:
        raise UserError(f"{root}: the name of '{path}' tells neither patient nor class; use the publisher's file names")
    present = {
        "no_finding": germ is None,
        "pneumonia": germ is not None,
        "bacterial_pneumonia": germ == "bacteria",
        "viral_pneumonia": germ == "virus",
    }
    identity: dict[str, str | float | None] = {
        "key": stem,
        "patient": f"kermany:{patient}",
        "study": f"kermany:{stem}",
        "view": "AP",
        "sex": None,
        "age": None,
        "path": path,
        "official_split": None,
    }
    return identity | {finding_column(name): PRESENT if there else ABSENT for name, there in present.items()}
