"""Run all benchmarks, or the one that is named."""

import importlib
import pkgutil
import sys

import benchmarks
from benchmarks.frame import report

FRAME = {"__main__", "frame"}


def main(arguments: list[str]) -> None:
    """Run the named benchmarks, or all; leave with one sentence where a name is unknown."""
    names = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    names = [name for name in names if name not in FRAME]
    for name in arguments:
        if name not in names:
            sys.exit(f"There is no benchmark '{name}'; choose from: {', '.join(names)}.")
    for name in arguments or names:
        benchmark = importlib.import_module(f"benchmarks.{name}")
        report(name, str(benchmark.__doc__), benchmark.run())


main(sys.argv[1:])
