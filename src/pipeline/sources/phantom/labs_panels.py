"""Which laboratory items are ordered together, and how often."""

import math
from dataclasses import dataclass
from statistics import NormalDist

from pipeline.sources.phantom.physiology import Physiology


@dataclass(frozen=True, slots=True)
class Panel:
    """Hold items that one order brings."""

    items: tuple[str, ...]
    """Numbers of the items."""
    ordered: float
    """Share of admissions with the order."""
    sickness: float = 0.0
    """Loading of the wish to order on how sick the patient is, 0 to 1."""
    obstruction: float = 0.0
    """Loading on the airway obstruction."""
    lost: float = 0.02
    """Share of the single items that are missing all the same."""

    def is_ordered(self, state: Physiology, chance: float) -> bool:
        """Tell whether the order was given; `chance` is standard normal."""
        # The three latents with their correlation have a variance of 3 + 2 * 0.5.
        sickness = (state.cardiac_load + state.fluid + state.inflammation) / 2
        rest = math.sqrt(1 - self.sickness**2 - self.obstruction**2)
        wish = self.sickness * sickness + self.obstruction * state.obstruction + rest * chance
        return wish > NormalDist().inv_cdf(1 - self.ordered)


ALWAYS_MEASURED = "50912"
"""Creatinine: everyone in the cohort has at least one value (spec PaCX 1.3)."""

PANELS = {
    "salts": Panel(("50971", "51006", "50983", "50902", "50882", "50868", "50931"), ordered=0.99),
    "count": Panel(
        ("51221", "51265", "51222", "51301", "51249", "51279", "51250", "51248", "51277"), ordered=0.985, sickness=0.2
    ),
    "minerals": Panel(("50960", "50893", "50970"), ordered=0.88, sickness=0.4),
    "clotting": Panel(("51237", "51274", "51275"), ordered=0.78, sickness=0.4),
    "differential": Panel(("51146", "51256", "51254", "51200", "51244"), ordered=0.68, sickness=0.3),
    "absolute counts": Panel(("52075", "52073", "52074", "52069", "51133"), ordered=0.5, sickness=0.1),
    "granulocytes": Panel(("52135",), ordered=0.42, sickness=0.2),
    "cell width": Panel(("52172",), ordered=0.6),
    "indices": Panel(("50934", "51678", "50947"), ordered=0.6),
    "liver": Panel(("50861", "50878", "50863", "50885"), ordered=0.55, sickness=0.5),
    "albumin": Panel(("50862",), ordered=0.45, sickness=0.5),
    "lactate": Panel(("50813",), ordered=0.5, sickness=0.6),
    "muscle": Panel(("50910",), ordered=0.35, sickness=0.3),
    "blood gas": Panel(
        ("50820", "50802", "50821", "50804", "50818"), ordered=0.33, sickness=0.5, obstruction=0.5, lost=0.0
    ),
}
"""Every item of `LAB_ITEMS` but the one that is always measured is in one panel."""
