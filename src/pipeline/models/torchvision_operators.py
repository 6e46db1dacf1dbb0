"""Let torchvision's CUDA build be imported beside a CPU build of torch.

PyPI's Linux torchvision links against CUDA libraries. Beside a CPU-only torch its compiled
operators cannot load, and `import torchvision` then fails on the missing operator `nms`, taking
timm with it. Declaring the two operators' signatures is enough for the import; nothing here calls
them. With matching builds the compiled operators load and nothing is declared.
"""

import ctypes
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

SIGNATURES = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_declared: list[object] = []  # torch forgets a library's operators once the library object is collected


class _BeforeTorchvision(MetaPathFinder):
    """Act once, on the first import of torchvision, and leave the import to the other finders."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            _declare_unless_compiled_operators_load()
        return None


def declare_when_missing() -> None:
    """Prepare the next import of torchvision; do nothing where it is imported or being prepared already."""
    prepared = any(isinstance(finder, _BeforeTorchvision) for finder in sys.meta_path)
    if "torchvision" not in sys.modules and not prepared:
        sys.meta_path.insert(0, _BeforeTorchvision())


def _declare_unless_compiled_operators_load() -> None:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    import torch

    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            ctypes.CDLL(str(library))
        except OSError:
            continue
        return
    operators = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for signature in SIGNATURES:
        operators.define(signature)  # type: ignore[no-untyped-call]
    _declared.append(operators)
