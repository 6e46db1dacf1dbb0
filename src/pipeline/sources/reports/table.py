"""All reports of an archive as one table."""

from pathlib import Path

import polars as pl

from pipeline.sources.reports.archive import iterate_reports
from pipeline.sources.reports.conclusion import conclude

COLUMNS = ("study_id", "report_findings", "report_impression", "report_source")


def read_reports(archive: Path, studies: pl.Series) -> pl.DataFrame:
    """Read what the reports of the named studies say.

    Args:
        archive: The publisher's zip archive.
        studies: Study ids as text, repetitions allowed.

    Returns:
        One row per wanted study that the archive has a report of, in the archive's order: `study_id`,
        `report_findings`, `report_impression` and `report_source` (which rule found them).
    """
    wanted = set(studies)
    # Lists of texts rather than of rows: the garbage collector would walk hundreds of thousands of those.
    columns: dict[str, list[str | None]] = {name: [] for name in COLUMNS}
    for study, text in iterate_reports(archive):
        if study in wanted:
            conclusion = conclude(text, int(study))
            cells = (study, conclusion.findings, conclusion.impression, conclusion.rule)
            for column, cell in zip(columns.values(), cells, strict=True):
                column.append(cell)
    return pl.DataFrame(columns, schema=dict.fromkeys(COLUMNS, pl.String))
