"""Run one download after another, each in a process of its own that starts at once; for tests that kill it.

Standard input holds the address, the folder, and then a line for each download; for each, standard output
gets the process's number when it is about to start, and `ended` when it is over, however it ended.
"""

import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

from fake_publisher import POLICY, QuickClock, publication_at

from pipeline.records.errors import UserError
from pipeline.sources.download.fetch import download


def main() -> None:
    """Serve the lines of standard input."""
    url, root = sys.stdin.readline().strip(), Path(sys.stdin.readline().strip())
    for _ in iter(sys.stdin.readline, ""):
        child = os.fork()
        if child == 0:
            run(url, root)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


def run(url: str, root: Path) -> None:
    """Download, and end the process."""
    logging.basicConfig(level=logging.INFO, filename=root.with_suffix(".log"))
    try:
        download("demo", publication_at(url), root, 3, replace(POLICY, attempts=6), QuickClock())
    except UserError as error:
        logging.error("error: %s", error)
    except Exception:
        logging.exception("a mistake of ours")
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
