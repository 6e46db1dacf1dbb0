"""The parts of a model card that say whose terms apply: its head for the hub, and the sentences for people."""

from typing import Any

import yaml

from pipeline.reporting.provenance import Provenance, Release
from pipeline.settings.pretraining import PretrainingSettings


def front_matter(provenance: Provenance) -> str:
    """Return the head that the Hugging Face hub reads, YAML between two lines of dashes."""
    facts: dict[str, Any] = {}
    if provenance.encoder is not None:
        facts |= {"library_name": "timm", "pipeline_tag": "image-feature-extraction"}
    facts["tags"] = [*_subject(provenance), "feature-extraction", *_method(provenance)]
    facts |= _licence(provenance)
    datasets = [*provenance.releases(bound=True), *provenance.releases(bound=False)]
    if datasets:
        facts["datasets"] = datasets
    repositories = [foreign.repository for foreign in provenance.foreign.values() if foreign.repository]
    if repositories:
        facts["base_model"] = repositories[0]
    return f"---\n{yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)}---\n"


def terms_section(provenance: Provenance) -> str:
    """Say what the publishers of data and of initial weights ask of those who use or pass on an encoder."""
    sentences = [
        f"`{name}`, whose weights these are or come from, is published under: {foreign.licence}"
        for name, foreign in provenance.foreign.items()
    ]
    if provenance.bound:
        sentences.append(_agreements(provenance))
    if provenance.releases(bound=False):
        sentences.append(f"Open data, to be named as asked: {_named(provenance.releases(bound=False))}.")
    only_synthetic = provenance.corpora and all(corpus.synthetic for corpus in provenance.corpora.values())
    if only_synthetic and not provenance.foreign:
        sentences.append("The training images are synthetic: no publisher's terms apply to them.")
    if not sentences:
        sentences.append("Nothing was learnt from data, so no publisher's terms apply.")
    return "## Terms\n" + "\n\n".join(sentences) + "\n"


def _agreements(provenance: Provenance) -> str:
    named = _named(provenance.releases(bound=True)) or ", ".join(f"`{corpus}`" for corpus in provenance.bound)
    return (
        "**Sharing may be restricted.** These weights were learnt from data that are not open to everybody, and the "
        f"data's agreements apply to the weights too: {named}. Whoever receives the weights may have to have signed "
        "the same; ask the publishers before passing them on."
    )


def _licence(provenance: Provenance) -> dict[str, str]:
    """Name the licence where somebody's terms restrict the weights; the hub asks for a name beside `other`."""
    if provenance.bound:
        pages = [release.page for release in provenance.releases(bound=True).values()]
        link = {"license_link": pages[0]} if pages else {}
        return {"license": "other", "license_name": "data-use-agreement", **link}
    if provenance.foreign:
        return {"license": "other", "license_name": "terms-of-the-publisher"}
    return {}


def _subject(provenance: Provenance) -> list[str]:
    """Name what the training images show, where any are known; foreign weights may come from photographs."""
    return ["chest-x-ray", "radiology"] if provenance.corpora else []


def _method(provenance: Provenance) -> list[str]:
    settings = provenance.itself.settings
    return ["masked-image-modeling"] if isinstance(settings, PretrainingSettings) else []


def _named(releases: dict[str, Release]) -> str:
    return "; ".join(
        f"[{release.title}]({release.page}) {release.version} ({release.licence}; {release.access} access; "
        f"{release.publisher})"
        for release in releases.values()
    )
