"""The radiologist's report of a phantom study, in the form of MIMIC-CXR's (spec RayGen E2, performance 3)."""

import textwrap

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.report_content import Content
from pipeline.sources.phantom.report_grammar import Writer
from pipeline.sources.phantom.study import Study

LINE_WIDTH = 79
TITLE = " " * 33 + "FINAL REPORT"
RULE = " " + "_" * 78
"""Divides what was added on top from the report."""

FORMS = {"both": 0.7, "impression only": 0.11, "merged": 0.03, "findings only": 0.05, "title": 0.03, "prose": 0.08}
"""Shares of reports with findings and impression; with either; with both under one header; with findings under the
title of the examination; and with plain paragraphs."""

HEADER_SPELLINGS = {
    "EXAMINATION": {"EXAMINATION": 0.9, "EXAM": 0.06, "TYPE OF EXAMINATION": 0.04},
    "INDICATION": {"INDICATION": 0.74, "REASON FOR EXAMINATION": 0.1, "HISTORY": 0.1, "CLINICAL INFORMATION": 0.06},
    "COMPARISON": {"COMPARISON": 0.9, "COMPARISONS": 0.07, "COMPARISION": 0.03},
    "FINDINGS": {"FINDINGS": 0.97, "FINDING": 0.02, "FINDNGS": 0.01},
    "IMPRESSION": {"IMPRESSION": 0.95, "CONCLUSION": 0.03, "IMPRESSON": 0.02},
}
"""How often which spelling is used, as in the list of spellings found in MIMIC-CXR."""

COMPLAINTS = (
    "[shortness of breath|dyspnea|SOB]",
    "[cough|productive cough|cough and fever]",
    "[chest pain|pleuritic chest pain]",
    "[fever|leukocytosis|fever of unknown origin]",
    "[hypoxia|increased oxygen requirement]",
    "[fall|trauma]",
    "[altered mental status|weakness|syncope]",
    "[heart failure|CHF exacerbation|COPD flare]",
)
QUESTIONS = ("evaluate for [acute process|pneumonia|edema|effusion|pneumothorax]", "[assess|please assess] for change")
COMPARISONS = ("[Chest radiograph|Chest radiographs|Chest x-ray|Radiograph] [from|dated|of] ___", "___", "CT of ___")
ADDENDA = (
    "[The above|These] findings were [discussed|reviewed] with ___ [by telephone|in person] at ___ on ___.",
    "Voice recognition [errors|error] corrected. [No change in interpretation.|The interpretation is unchanged.]",
)


def write_report(patient: Patient, study: Study) -> str:
    """Return the report of a study: equal arguments give equal text, lines of at most 79 characters.

    It names what `reported_labels` has as present, denies what it has as absent, doubts what it has as uncertain
    and leaves out the rest. Sides, zones and sizes are those of the lesions in the image.
    """
    writer = Writer(keyed_generator(patient.seed, "report text", patient.number, study.number))
    content = Content(patient, study, writer)
    form = writer.weighted(FORMS)
    if form == "prose":
        blocks = [TITLE, *_prose(patient, study, content, writer)]
    else:
        blocks = [*_additions(content, writer), TITLE, *_headed_report(form, patient, study, content, writer)]
    return "\n \n".join(blocks).replace(f"{TITLE}\n \n", f"{TITLE}\n", 1) + "\n"


def _additions(content: Content, writer: Writer) -> list[str]:
    """Return what readers put on top later or earlier: an addendum, the first reading of the night."""
    if writer.chance(0.03):
        return [_section("ADDENDUM", writer.phrase(ADDENDA)), RULE]
    if writer.chance(0.05):
        return [_section("WET READ", "___ ___ ___ " + " ".join(content.summarize())), RULE]
    return []


def _headed_report(form: str, patient: Patient, study: Study, content: Content, writer: Writer) -> list[str]:
    title = examination(study)
    head = [_headed("EXAMINATION", title, writer)] if writer.chance(0.6) and form != "title" else []
    middle = [_headed("INDICATION", _indication(patient, writer), writer)]
    if writer.chance(0.5):
        middle.append(_section("TECHNIQUE", _technique(study, writer)))
    middle.append(_headed("COMPARISON", _comparison(study, writer), writer))
    ordered = middle if writer.chance(0.8) else writer.shuffled(middle)
    return [*head, *ordered, *_conclusion(form, title, content, writer)]


def _conclusion(form: str, title: str, content: Content, writer: Writer) -> list[str]:
    described, summary = " ".join(content.describe()), _listed(content.summarize(), writer)
    impression = _headed("IMPRESSION", summary, writer)
    if form == "impression only":
        return [_headed("IMPRESSION", " ".join([*content.summarize(), *content.remark()]), writer)]
    if form == "merged":
        return [_section("FINDINGS AND IMPRESSION", described)]
    if form == "findings only":
        return [_headed("FINDINGS", described, writer)]
    if form == "title":
        return [_section(f"{title.replace('(', '').replace(')', '')}", described), impression]
    return [_headed("FINDINGS", described, writer), impression]


def _prose(patient: Patient, study: Study, content: Content, writer: Writer) -> list[str]:
    """Return paragraphs without a header for findings; some have none at all."""
    opening = examination(study)
    if writer.chance(0.6):
        first = _headed("INDICATION", _indication(patient, writer), writer)
    else:
        first = _wrapped(f"{opening.capitalize()}, ___.")
    return [first, *(_wrapped(sentence) for sentence in content.describe())]


def _headed(section: str, text: str, writer: Writer) -> str:
    """Return a section whose header is spelled as some reader would."""
    return _section(writer.weighted(HEADER_SPELLINGS[section]), text, apart=writer.chance(0.3))


def _section(header: str, text: str, apart: bool = False) -> str:
    return f" {header}: \n \n{_wrapped(text)}" if apart else _wrapped(f"{header}:  {text}")


def _wrapped(text: str) -> str:
    lines = textwrap.wrap(text, LINE_WIDTH - 1, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f" {line}" for line in lines)


def _listed(sentences: list[str], writer: Writer) -> str:
    if len(sentences) > 1 and writer.chance(0.5):
        return "  ".join(f"{number}. {sentence}" for number, sentence in enumerate(sentences, 1))
    return " ".join(sentences)


def examination(study: Study) -> str:
    """Return what was ordered, as the request names it."""
    return "CHEST (PORTABLE AP)" if study.view == "AP" else "CHEST (PA AND LAT)" if study.has_lateral else "CHEST (PA)"


def _technique(study: Study, writer: Writer) -> str:
    if study.view == "AP":
        return writer.phrase(["[Portable|Semi-upright portable|Single portable] AP [view|radiograph] of the chest"])
    views = "PA and lateral views" if study.has_lateral else "PA view"
    return writer.phrase(
        ["[Chest|Upright|Frontal and lateral|Standard] {views}" if study.has_lateral else "{views}"], {"views": views}
    )


def _indication(patient: Patient, writer: Writer) -> str:
    person = writer.one_of(["F", "female", "woman"] if patient.person.sex == "F" else ["M", "male", "man"])
    complaint, question = writer.phrase(COMPLAINTS), writer.phrase(QUESTIONS)
    return writer.phrase(
        ["___[ year old|-year-old| y/o] {person} with {complaint} [// {question}|, {question}|]"],
        {"person": person, "complaint": complaint, "question": question},
    )


def _comparison(study: Study, writer: Writer) -> str:
    return writer.phrase(COMPARISONS if study.number > 1 else ["None", "None available", "No prior studies"]) + "."
