"""Print a finished run's leaderboard and where its report is: `python -m pipeline.stages.show_leaderboard DIR`."""

import sys
from pathlib import Path

from pipeline.reporting.leaderboard import format_leaderboard, read_leaderboard

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    print(format_leaderboard(read_leaderboard(folder / "leaderboard.csv")))
    print(f"\nreport: {folder / 'index.html'}")
