"""ECGFounder's preprocessing, for many records at once (spec PaCX 1.4)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter
from scipy.signal import butter, iirnotch, sosfiltfilt, tf2sos

from pipeline.records.errors import UserError
from pipeline.settings.ecg import EcgPreprocessingSettings

Doubles = npt.NDArray[np.float64]


def preprocess(
    records: npt.ArrayLike, leads: Sequence[str], frequency: float, settings: EcgPreprocessingSettings
) -> npt.NDArray[np.float32]:
    """Take hum, drift and scale out of records; an affine change of a whole record changes nothing.

    Args:
        records: [records, leads, samples] in any unit.
        leads: Names of the leads along the second axis.
        frequency: Samples per second of the records.
        settings: Filters and the encoder's order of leads.

    Returns:
        [records, leads, samples]; each record has mean 0 and standard deviation 1 over all leads together.

    Raises:
        UserError: Leads or frequency are not those of the settings, or a record is not `usable`.
    """
    _check(leads, frequency, settings)
    raw = np.asarray(records, np.float64)
    if not usable(raw).all():
        raise UserError(
            f"ECG record {int((~usable(raw)).argmax())} of {len(raw)} lacks samples or is zero throughout; leave it out"
        )
    filtered = _filter(raw, settings)
    filtered -= running_median(filtered, _odd_window(settings))
    filtered -= filtered.mean(axis=(1, 2), keepdims=True)
    filtered /= filtered.std(axis=(1, 2), keepdims=True) + settings.epsilon
    return filtered.astype(np.float32)


def usable(records: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Tell which of [records, leads, samples] lack no sample and are not zero throughout (spec PaCX 1.3, cohort)."""
    raw = np.asarray(records)
    whole: npt.NDArray[np.bool_] = ~np.isnan(raw).any(axis=(1, 2)) & (raw != 0).any(axis=(1, 2))
    return whole


def running_median(signals: Doubles, window: int) -> Doubles:
    """Return the median in an odd window around each sample of the last axis, with zeros beyond the ends.

    Equal to `scipy.signal.medfilt` of each row. The rows go through one call, set apart by zeros, because only
    the filter of one axis keeps its window sorted from sample to sample.
    """
    samples, half = signals.shape[-1], window // 2
    rows = signals.reshape(-1, samples)
    apart = np.zeros((len(rows), samples + half))
    apart[:, :samples] = rows
    medians = median_filter(apart.ravel(), size=window, mode="constant", cval=0.0)
    kept: Doubles = medians.reshape(apart.shape)[:, :samples].reshape(signals.shape)
    return kept


def _check(leads: Sequence[str], frequency: float, settings: EcgPreprocessingSettings) -> None:
    if tuple(leads) != settings.leads:
        raise UserError(f"ECG leads come as {', '.join(leads)}; the encoder needs {', '.join(settings.leads)}")
    if frequency != settings.frequency:
        raise UserError(f"ECG records have {frequency:g} samples per second; the encoder needs {settings.frequency:g}")


def _filter(signals: Doubles, settings: EcgPreprocessingSettings) -> Doubles:
    """Apply notch and band-pass forwards and backwards, as `scipy.signal.filtfilt` defines it.

    The band-pass runs as second-order sections: in the polynomial form its lower edge, 0.67 Hz of 500, costs
    four digits. The padding is that of the polynomial form, three times its length.
    """
    numerator, denominator = iirnotch(settings.notch, settings.notch_quality, fs=settings.frequency)
    hum_free = sosfiltfilt(tf2sos(numerator, denominator), signals, padlen=3 * len(denominator))
    sections = butter(settings.band_order, settings.band, "bandpass", fs=settings.frequency, output="sos")
    in_band: Doubles = sosfiltfilt(sections, hum_free, padlen=3 * (2 * settings.band_order + 1))
    return in_band


def _odd_window(settings: EcgPreprocessingSettings) -> int:
    """Return the samples of the baseline's window, an odd number: 201 at 500 Hz."""
    window = int(settings.baseline_window * settings.frequency) + 1
    return window + 1 - window % 2
