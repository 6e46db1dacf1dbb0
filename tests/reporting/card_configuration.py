"""A configuration whose encoders come from all the places that a model card has to tell apart."""

from typing import Any

from conftest import REPOSITORY, TINY_ENCODER, TINY_TASK

from pipeline.records.runs import BatchRecord, RunRecord
from pipeline.reporting.lineage import provenance_of
from pipeline.reporting.provenance import Provenance
from pipeline.settings.config import resolve
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.settings.registry import read_registry

SHARDS: dict[str, Any] = {"splits": {"scheme": "official"}, "shards": {"image_size": 32}}
OPTIMISATION = {"steps": 200, "batch_size": 64, "warmup_steps": 20}
FOREIGN: dict[str, Any] = {
    "kind": "foreign",
    "format": "timm",
    "encoder": TINY_ENCODER | {"channels": 3, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    "sha256": "f" * 64,
    "licence": "Apache License 2.0, as its page says",
    "provenance": "Trained on ImageNet-21k by its authors: https://example.org/vit.",
}


def downloaded(layout: dict[str, Any], *publications: str) -> dict[str, Any]:
    source = {"kind": "download", "publications": list(publications), "root": "data/private/place"}
    return {"source": source, "layout": layout, **SHARDS}


def run(corpora: list[str], task: dict[str, Any] = TINY_TASK, **more: Any) -> dict[str, Any]:
    return {"task": task, "encoder": TINY_ENCODER, "corpora": corpora, "optimization": OPTIMISATION, **more}


CONFIG = resolve(
    {
        "corpora": {
            "made": {"source": {"kind": "phantom", "patients": 9}, "layout": {"format": "chexpert"}, **SHARDS},
            "nih": downloaded({"format": "nih_cxr14"}, "nih_cxr14_samples"),
            "mimic": downloaded({"format": "mimic_cxr"}, "mimic_cxr_jpg"),
            "readers": downloaded({"format": "reflacx", "images_of": "mimic"}, "reflacx"),
            "own": {"source": {"kind": "local", "root": "/private/place"}, "layout": {"format": "chexpert"}, **SHARDS},
        },
        "pretrain": {
            "synthetic": run(["made"]),
            "mixed": run(["made", "nih"], views=["PA", "AP"], normalisation={"nih": {"mean": 0.5, "std": 0.2}}),
            "private": run(["mimic"]),
            "after_private": run(["nih"], initial="private"),
            "gaze": run(["readers"], {"kind": "cxr_mim", "taps": [0, 1], "scales": [2, 1]}, initial="imagenet"),
            "owned": run(["own"]),
            "after_xrays": run(["nih"], initial="xrays"),
        },
        "controls": {
            "random": {"kind": "random", "like": "synthetic"},
            "like_foreign": {"kind": "random", "like": "imagenet"},
            "pixels": {"kind": "pixels", "side": 16},
            "imagenet": FOREIGN | {"repository": "timm/vit_tiny", "revision": "abc"},
            "copied": FOREIGN | {"file": "/home/somebody/private/checkpoint-799.pth", "format": "mae"},
            "xrays": FOREIGN | {"file": "/home/somebody/private/xrays.pth", "trained_on": ["mimic"]},
        },
        "protocols": {},
        "benchmarks": {},
    }
)
REGISTRY = read_registry(REPOSITORY / "config" / "corpora.yaml")


def provenance(name: str) -> Provenance:
    return provenance_of(CONFIG, REGISTRY, name)


def settings_of(name: str) -> PretrainingSettings:
    return CONFIG.pretrain[name]


def record_of(name: str, **changes: Any) -> RunRecord:
    """Return the record of a run that went as planned, with the same images of every corpus."""
    corpora = settings_of(name).corpora
    fields: dict[str, Any] = {
        "run": name,
        "settings": "1" * 64,
        "code": "2" * 64,
        "inputs": dict.fromkeys(corpora, "3" * 64),
        "images": {split: dict.fromkeys(corpora, 1234) for split in ("train", "val")},
        "quarantined": 0,
        "encoder": "4" * 64,
        "weights": "5" * 64,
        "steps": 200,
        "batch": BatchRecord(images=64, device_batch=64, accumulation=1, processes=1),
        "device": "cpu",
        "decoder": "made 1",
        "threads": 2,
        "versions": {"python": "3.11.7", "torch": "2.13.0"},
    }
    return RunRecord.model_validate(fields | changes)
