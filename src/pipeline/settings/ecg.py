"""Settings of electrocardiograms: how records are read, and what is done to them before an encoder."""

from typing import Annotated

from pydantic import Field, PositiveFloat

from pipeline.settings.base import Settings

ECGFOUNDER_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The order of leads that ECGFounder was trained on; MIMIC-IV-ECG stores aVF before aVL (spec PaCX 1.4)."""

Leads = Annotated[tuple[str, ...], Field(min_length=1)]
"""Names of leads, in order."""


class EcgReadingSettings(Settings):
    """Say how WFDB records are read."""

    leads: Leads = ECGFOUNDER_LEADS
    """Leads to read, by name and in this order, whatever the order of the file."""
    verify_checksums: bool = True
    """Whether the samples of every lead are compared with the checksum of the header."""


class EcgPreprocessingSettings(Settings):
    """Filter and scale records as ECGFounder was trained (spec PaCX 1.4)."""

    leads: Leads = ECGFOUNDER_LEADS
    """Leads in the order that the encoder expects; records in another order are refused."""
    frequency: PositiveFloat = 500.0
    """Samples per second; records of another frequency are refused."""
    notch: PositiveFloat = 50.0
    """Frequency of the mains hum to take out, hertz; ECGFounder used 50, the mains of MIMIC's hospital hum at 60."""
    notch_quality: PositiveFloat = 30.0
    """Centre frequency of the notch over its bandwidth at -3 dB."""
    band: tuple[PositiveFloat, PositiveFloat] = (0.67, 40.0)
    """Edges of the band-pass, hertz."""
    band_order: int = Field(default=4, ge=1)
    """Order of the Butterworth low-pass that the band-pass is made of."""
    baseline_window: PositiveFloat = 0.4
    """Length of the running median that is subtracted as baseline, seconds."""
    epsilon: PositiveFloat = 1e-8
    """Added to the standard deviation of a record before dividing by it."""
