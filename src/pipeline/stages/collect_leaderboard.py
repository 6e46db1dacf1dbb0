"""Stage of rule collect_leaderboard: every metric record in one table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.reporting.leaderboard import collect_rows, format_leaderboard, write_leaderboard


def collect_leaderboard(records: Sequence[Path], controls: Mapping[str, str], leaderboard: Path) -> None:
    """Publish the leaderboard, and beside it the short table that is shown in a terminal.

    Args:
        records: Metric records, below the folder that holds the leaderboard's folder.
        controls: What kind of control each encoder is that is one.
        leaderboard: CSV file to publish.

    Raises:
        UserError: A record is broken, or two records hold the same number.
    """
    rows = collect_rows(records, leaderboard.parents[1], controls)
    write_leaderboard(leaderboard, rows)
    print(format_leaderboard(rows))
