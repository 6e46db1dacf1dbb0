"""Run all benchmarks, or the one that is named."""

import importlib
import pkgutil
import sys

import benchmarks
from benchmarks.frame import report
from pipeline.records.errors import UserError

FRAME = {"__main__", "frame"}


def main(arguments: list[str]) -> None:
    """Run the named benchmarks, or all; leave with one sentence where a name is unknown or one of them cannot run."""
    modules = [module for module in pkgutil.iter_modules(benchmarks.__path__) if not module.ispkg]
    names = sorted(module.name for module in modules if module.name not in FRAME)
    for name in arguments:
        if name not in names:
            sys.exit(f"There is no benchmark '{name}'; choose from: {', '.join(names)}.")
    left_out = [f"{name}: {reason}" for name in arguments or names if (reason := run(name))]
    if left_out:
        sys.exit("\n".join(left_out))


def run(name: str) -> UserError | None:
    """Run a benchmark and report it; return why where something that it needs is not there."""
    benchmark = importlib.import_module(f"benchmarks.{name}")
    try:
        report(name, str(benchmark.__doc__), benchmark.run())
    except UserError as reason:
        return reason
    return None


main(sys.argv[1:])
