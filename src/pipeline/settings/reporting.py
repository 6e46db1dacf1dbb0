"""Settings of the report page."""

from pipeline.settings.base import Settings


class ReportSettings(Settings):
    """Say what stands at the head of the report."""

    title: str = "Chest X-ray representations"
    """Heading of the page."""
    notice: str | None = None
    """A sentence set apart above everything, such as that the data are synthetic."""
