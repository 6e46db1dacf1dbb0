"""Identities in the names of files from BIMCV-COVID19+, which the collections that took them have kept."""

import re
from typing import Any

_NAME = re.compile(r"sub-(?P<subject>S\d+)(?:_ses-(?P<session>E\d+))?")
_VIEW = re.compile(r"_vp-(ap|pa)(?![a-z])")


def identify(name: str) -> dict[str, Any]:
    """Return what a name like `sub-S01_ses-E02_run-1_bp-chest_vp-ap_dx` says: patient, study and view.

    The patient is the same in every collection. Of other names nothing is returned, and no view where none is named.
    """
    found = _NAME.search(name)
    if found is None:
        return {}
    view = _VIEW.search(name)
    return {
        "patient": f"bimcv:{found['subject']}",
        "patient_known": True,
        "study": f"bimcv:{found['session'] or name}",
        **({"view": view[1].upper()} if view else {}),
    }
