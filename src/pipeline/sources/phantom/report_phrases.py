"""The words of phantom reports, by finding and by what the report's labels say of it.

Slots: `{extent}` and `{small}` grade a finding, `{side}` and `{sides}` name its side, `{zone}` its height.
"""

from pipeline.sources.phantom.chexpert_labels import ABSENT, PRESENT, UNCERTAIN
from pipeline.sources.phantom.risk import Finding

DESCRIPTIONS: dict[Finding, dict[str, tuple[str, ...]]] = {
    Finding.CARDIOMEGALY: {
        PRESENT: (
            "[there is|note is made of] {extent} [cardiomegaly|cardiac enlargement]",
            "the [heart|heart size|cardiac silhouette|cardiac size] is {extent_adverb} enlarged",
            "[{extent} cardiomegaly|{extent} enlargement of the cardiac silhouette] is [present|noted|seen|evident]",
            "[enlargement of the cardiac silhouette|cardiomegaly] is {extent}",
        ),
        ABSENT: (
            "the [heart|heart size|cardiac silhouette|cardiac size] is "
            "[normal|within normal limits|not enlarged|unremarkable]",
            "[heart size|cardiac silhouette size|size of the cardiac silhouette] is [normal|within normal limits]",
            "there is no [cardiomegaly|cardiac enlargement]",
            "the heart is normal in size",
        ),
        UNCERTAIN: (
            "the [heart|cardiac silhouette] may be [mildly|slightly|somewhat|] enlarged",
            "[possible|questionable|suspected|borderline] [cardiomegaly|cardiac enlargement]",
            "the heart size is [at the upper limits of normal|borderline enlarged|top normal to mildly enlarged], "
            "which may represent [mild|] cardiomegaly",
            "[mild|slight|] cardiomegaly cannot be excluded [given the projection|on this view|]",
        ),
    },
    Finding.PLEURAL_EFFUSION: {
        PRESENT: (
            "[there is|note is made of|one sees] {small} {sides} pleural effusion",
            "{small} {sides} pleural effusion is [present|noted|seen|identified|demonstrated]",
            "the {side} costophrenic angle is [blunted|obscured], [reflecting|consistent with] {small} {side} effusion",
            "blunting of the {side} costophrenic angle [reflects|is due to|is in keeping with] {small} {side} "
            "pleural effusion",
            "[layering|free] {sides} pleural effusion [is|appears] {small_plain} [in size|]",
            "[hazy opacity|opacification] at the {side} base [reflects|is due to] {small} {side} effusion",
        ),
        ABSENT: (
            "[there is|] no [large|evidence of|appreciable|] pleural effusion",
            "no pleural effusion is [seen|identified|present|visualized]",
            "the [costophrenic angles|pleural sulci] are [sharp|clear] without [pleural|] effusion",
            "[there are|] no pleural effusions",
        ),
        UNCERTAIN: (
            "[a|] [trace|small|tiny] {side} pleural effusion "
            "[cannot be excluded|is not excluded|is difficult to exclude]",
            "[possible|probable|suspected|questionable] [trace|small|minimal] {side} pleural effusion",
            "[blunting|minimal blunting] of the {side} costophrenic angle may represent "
            "[a|] [small|trace] [effusion|pleural effusion] [or pleural thickening|]",
            "there may be [a|] [small|trace] {side} pleural effusion",
        ),
    },
    Finding.CONSOLIDATION: {
        PRESENT: (
            "[there is|note is made of|one sees] {extent} [consolidation|airspace consolidation] "
            "in the {side} {zone} [lung|lung zone|zone]",
            "{extent} {side} {zone} [lung|zone] [consolidation|airspace consolidation] is "
            "[present|noted|seen|demonstrated]",
            "[patchy|confluent|dense|focal] consolidation [is seen in|projects over|is present in] "
            "the {side} {zone} lung",
            "[an area|a region|a focus] of {extent} consolidation [involves|occupies] the {side} {zone} lung",
        ),
        ABSENT: (
            "[there is|] no [focal|evidence of|lobar|] consolidation",
            "no [focal|lobar|] consolidation is [seen|identified|present]",
            "[there is|] no focal [airspace|lung|] consolidation to suggest [infection|an acute process]",
            "there are no [focal|lobar|] consolidations",
        ),
        UNCERTAIN: (
            "[subtle|faint|vague] [density|opacity] in the {side} {zone} lung may represent "
            "[early|developing|] consolidation [versus overlapping structures|versus vascular crowding|]",
            "[early|developing|] consolidation in the {side} {zone} lung "
            "[cannot be excluded|is not excluded|is difficult to exclude]",
            "[possible|questionable|suspected] [early|developing|] {side} {zone} lung consolidation",
            "there may be [early|subtle|] consolidation in the {side} {zone} [lung|zone]",
        ),
    },
    Finding.PNEUMOTHORAX: {
        PRESENT: (
            "[there is|note is made of|one sees] {small} {side} pneumothorax",
            "{small} {side} [apical|] pneumothorax is [present|noted|seen|identified]",
            "a [visceral pleural line|pleural line] is [seen|visible] on the {side}, "
            "[consistent with|in keeping with|reflecting] {small} pneumothorax",
            "the {side} lung is [partially|] collapsed from {small} pneumothorax",
        ),
        ABSENT: (
            "[there is|] no [evidence of|visible|appreciable|] pneumothorax",
            "no pneumothorax is [seen|identified|present|detected]",
            "there is no [right or left|apical|] pneumothorax",
            "no pneumothoraces [are seen|]",
        ),
        UNCERTAIN: (
            "[a|] [tiny|small|trace] {side} [apical|] pneumothorax [cannot be excluded|is not excluded]",
            "[possible|questionable|suspected] [tiny|small|trace] {side} [apical|] pneumothorax",
            "[lucency|a thin line] at the {side} apex may represent [a|] [tiny|small] pneumothorax "
            "[versus a skin fold|]",
            "there may be [a|] [tiny|small|trace] {side} pneumothorax",
        ),
    },
    Finding.LUNG_NODULE: {
        PRESENT: (
            "[there is|note is made of] {nodule} in the {side} {zone} lung",
            "{nodule} [projects over|is seen in|is present in|is noted in] the {side} {zone} [lung|lung zone]",
            "the {side} {zone} lung [contains|shows] {nodule}",
            "{nodule} [measuring ___ cm|] in the {side} {zone} lung [is noted|is seen|warrants follow-up]",
        ),
        ABSENT: (
            "[there is|] no [suspicious|discrete|] pulmonary nodule",
            "no [lung|pulmonary] nodules [are seen|are identified|]",
            "there are no [suspicious|discrete|] [pulmonary|lung] nodules",
        ),
        UNCERTAIN: (
            "[rounded|nodular] density in the {side} {zone} lung may represent a [pulmonary nodule|lung nodule] "
            "[or a nipple shadow|versus a vessel on end|]",
            "[possible|questionable|suspected] [pulmonary|lung] nodule in the {side} {zone} lung",
            "[a|] [pulmonary|lung] nodule in the {side} {zone} lung [cannot be excluded|is not excluded]",
        ),
    },
}
"""Whole sentences for the findings, by label."""

SUMMARIES: dict[Finding, dict[str, tuple[str, ...]]] = {
    Finding.CARDIOMEGALY: {
        PRESENT: ("{extent} cardiomegaly", "{extent} enlargement of the [heart|cardiac silhouette]"),
        UNCERTAIN: ("[possible|borderline|questionable] cardiomegaly", "cardiomegaly cannot be excluded"),
    },
    Finding.PLEURAL_EFFUSION: {
        PRESENT: ("{small} {sides} pleural effusion", "{sides} pleural effusion, {small_plain}"),
        UNCERTAIN: ("[possible|probable] [small|trace] {side} pleural effusion",),
    },
    Finding.CONSOLIDATION: {
        PRESENT: (
            "{side} {zone} lung consolidation [, concerning for an infectious process|]",
            "{extent} consolidation in the {side} {zone} lung",
        ),
        UNCERTAIN: (
            "[possible|questionable] [early|] {side} {zone} lung consolidation",
            "{side} {zone} lung [density|opacity] may represent consolidation",
        ),
    },
    Finding.PNEUMOTHORAX: {
        PRESENT: ("{small} {side} pneumothorax", "{side} pneumothorax, {small_plain}"),
        UNCERTAIN: ("[possible|questionable] [tiny|small] {side} pneumothorax",),
    },
    Finding.LUNG_NODULE: {
        PRESENT: (
            "{nodule} in the {side} {zone} lung [, for which chest CT is recommended|]",
            "{side} {zone} lung nodule",
        ),
        UNCERTAIN: ("[possible|questionable] {side} {zone} lung nodule",),
    },
}
"""Short forms for the impression."""

NORMAL_DESCRIPTIONS = (
    "the lungs are [clear|well expanded and clear|clear bilaterally|clear without focal abnormality]",
    "[lungs|both lungs] are [grossly|] clear",
    "[no acute cardiopulmonary abnormality is seen|the lungs and pleural spaces are clear]",
)
NORMAL_SUMMARIES = (
    "no [acute|evidence of acute|evidence of an acute] [cardiopulmonary|intrathoracic] [process|abnormality|disease]",
    "[normal|unremarkable] [chest radiograph|chest x-ray|radiographs of the chest|chest]",
    "no radiographic evidence of [acute|] cardiopulmonary [disease|abnormality]",
)
SILENT_SUMMARIES = (
    "[findings|radiographic findings] as [above|described above]",
    "[limited|suboptimal] [study|examination|] as [above|described]",
    "[please see the findings above|as above]",
)
VENOUS_LINE = (
    "[a|] right [internal jugular|central venous] [line|catheter] [terminates|ends|is seen with its tip] in the "
    "[mid|low|upper|] [SVC|superior vena cava]",
    "[right|right-sided] [IJ|central venous] catheter tip is in the [region of the|] [SVC|superior vena cava|"
    "cavoatrial junction]",
)
PACEMAKER = (
    "[a|] left [chest|pectoral|-sided] [pacemaker|pacer|pacing device] [with lead|lead] [terminating|ending] in the "
    "[region of the|] right ventricle",
    "[single-lead|single lead] left pectoral pacemaker is [in place|in standard position]",
)
NEUTRAL = (
    "the upper abdomen is unremarkable",
    "[mild|moderate|] degenerative changes are [noted|seen|present] in the thoracic spine",
    "[surrounding|overlying] soft tissues are unremarkable",
    "[free air below the diaphragm is not seen|there is no free air below the diaphragm]",
    "the trachea is [midline|in the midline]",
    "[the stomach bubble|gas in the stomach] is [noted|seen] below the left hemidiaphragm",
    "[the exam|evaluation|the examination] is [somewhat|slightly|] limited by [body habitus|technique|overlying wires]",
    "[clinical correlation|correlation with prior imaging, if available,] is [recommended|suggested]",
    "the [bones are|skeleton is] diffusely demineralized",
)
SHALLOW_BREATH = (
    "lung volumes are low",
    "[there are|] low lung volumes",
    "[inspiration is shallow|low inspiratory effort]",
)
DEEP_BREATH = ("the lungs are well [expanded|inflated]", "[lung volumes are normal|inspiratory effort is good]")
ROTATED = ("the patient is rotated", "[patient rotation|rotation] [slightly|] limits [evaluation|assessment]")

SIZES = {
    "extent": ("[mild|slight|minimal]", "[moderate|mild to moderate]", "[severe|marked|extensive]"),
    "extent_adverb": ("[mildly|slightly|minimally]", "[moderately|mildly to moderately]", "[severely|markedly]"),
    "small": ("[a small|a trace|a tiny]", "[a moderate|a moderate-sized|a small to moderate]", "[a large|a sizable]"),
    "small_plain": ("[small|trace|tiny]", "[moderate|small to moderate]", "[large|sizable]"),
    "nodule": (
        "[a subcentimeter|a small|a tiny] [nodule|pulmonary nodule|nodular opacity]",
        "[a 1 cm|a well-circumscribed|a rounded] [nodule|pulmonary nodule]",
        "[a 2 cm|a large|a sizable] [nodule|pulmonary nodule|nodular lesion]",
    ),
}
"""Words of three grades: small, moderate, large."""
