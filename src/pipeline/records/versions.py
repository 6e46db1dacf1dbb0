"""Which software and which machine a number came from."""

import os
import platform
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

TRAINING_PACKAGES = ("torch", "timm", "numpy", "opencv-python-headless", "simplejpeg", "safetensors")
EVALUATION_PACKAGES = ("numpy", "scipy", "pyarrow", "safetensors")


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the version of each distribution that is installed, and Python's own under `python`."""
    installed = {name: version for name in names if (version := _version(name)) is not None}
    return {"python": platform.python_version()} | installed


def machine() -> dict[str, str | int]:
    """Describe this machine: processor model, number of usable cores, operating system; no host name."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        # GPU images lack some, or have them under another name, as OpenCV.
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
