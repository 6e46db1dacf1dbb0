"""The twelve-lead ECG of a phantom study: a dipole that beats, nine electrodes and what disturbs them."""

import numpy as np
import numpy.typing as npt

from pipeline.records.randomness import keyed_generator
from pipeline.sources.phantom.ecg_heart import Heart, sample_heart
from pipeline.sources.phantom.ecg_leads import electrode_vectors, to_leads
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.study import Study

Floats = npt.NDArray[np.float64]

FREQUENCY, SECONDS = 500, 10
"""Samples per second and length of a record, as in MIMIC-IV-ECG."""

MAINS = 60.0
"""Hertz, of the hospital that MIMIC comes from."""


def electrocardiogram(patient: Patient, study: Study) -> Floats:
    """Return the ECG of a study, [12, 5000] millivolts, in the order of `ecg_leads.LEADS`.

    Drift, hum and muscle disturb electrodes, not leads, so that the laws between leads hold with them too.
    """
    heart = sample_heart(patient, study)
    draw = keyed_generator(patient.seed, "ecg", patient.number, study.number)
    seconds = np.arange(FREQUENCY * SECONDS) / FREQUENCY
    beats = _beat_times(heart, draw)
    dipole = _ventricles(heart, seconds, beats)
    dipole += _fibrillation(seconds, draw) if heart.fibrillates else _atria(heart, seconds, beats)
    vectors = electrode_vectors() * (1 + 0.05 * draw.standard_normal((9, 1)))  # electrodes are never quite in place
    return to_leads(vectors @ dipole + _disturbances(seconds, draw))


def _beat_times(heart: Heart, draw: np.random.Generator) -> Floats:
    """Return when the QRS complexes peak, seconds; the first and last lie outside the record."""
    mean = 60 / heart.rate
    count = int(SECONDS / mean * 2) + 4
    breath = 0.5 * np.sin(2 * np.pi * 0.25 * mean * np.arange(count) + draw.uniform(0, 2 * np.pi))
    change = draw.standard_normal(count) if heart.fibrillates else breath + 0.5 * draw.standard_normal(count)
    intervals = mean * np.clip(1 + heart.irregularity * change, 0.45, 1.8)
    times: Floats = np.cumsum(intervals) - (1 + draw.random()) * mean
    return times


def _ventricles(heart: Heart, seconds: Floats, beats: Floats) -> Floats:
    """Return the dipole (left, feet, back) of QRS, ST and T, [3, samples] millivolts."""
    axis = np.radians(heart.axis)
    frontal = np.sqrt(1 - heart.backward**2)
    main = np.array([frontal * np.cos(axis), frontal * np.sin(axis), heart.backward])
    septal = np.array([-0.6, -0.2, -0.75])  # to the right and front, before the main vector
    basal = np.array([-0.3, -0.55, 0.75])  # to the back and up, after it
    recovery = np.array([frontal * np.cos(axis), frontal * np.sin(axis), -0.35])
    sixth, interval = heart.width / 6, 60 / heart.rate
    t_time = 0.28 * np.sqrt(interval) + heart.width / 2
    qrs = (
        np.outer(main, _waves(seconds, beats, 0.0, 0.8 * sixth))
        + np.outer(0.22 * septal, _waves(seconds, beats, -1.5 * sixth, 0.6 * sixth))
        + np.outer(0.35 * basal, _waves(seconds, beats, 1.6 * sixth, 0.7 * sixth))
    )
    plateau = _waves(seconds, beats, t_time / 2, t_time / 5)
    t_wave = _waves(seconds, beats, t_time, 0.05 * np.sqrt(interval))
    dipole: Floats = heart.voltage * qrs
    dipole += np.outer(recovery, heart.st_shift * plateau + heart.repolarisation * t_wave)
    return dipole


def _atria(heart: Heart, seconds: Floats, beats: Floats) -> Floats:
    """Return the dipole of the P waves, [3, samples] millivolts."""
    axis = np.radians(heart.atrial_axis)
    direction = np.array([np.cos(axis), np.sin(axis), -0.1])
    return np.outer(heart.atrial_voltage * direction, _waves(seconds, beats, -heart.conduction, 0.022))


def _fibrillation(seconds: Floats, draw: np.random.Generator) -> Floats:
    """Return the dipole of fibrillating atria: several waves of 4 to 9 hertz, strongest to the front."""
    frequency, phase = draw.uniform(4, 9, (4, 1)), draw.uniform(0, 2 * np.pi, (4, 1))
    direction = draw.standard_normal((3, 4)) * np.array([[0.4], [0.8], [1.0]])
    waves: Floats = 0.02 * direction @ np.sin(2 * np.pi * frequency * seconds + phase)
    return waves


def _waves(seconds: Floats, beats: Floats, delay: float, spread: float) -> Floats:
    """Return a Gaussian of height one after every beat, [samples]."""
    wave: Floats = np.exp(-(((seconds - beats[:, None] - delay) / spread) ** 2) / 2).sum(axis=0)
    return wave


def _disturbances(seconds: Floats, draw: np.random.Generator) -> Floats:
    """Return what the nine electrodes pick up besides the heart, [9, samples] millivolts."""
    slow = draw.uniform(0.1, 0.45, (9, 3, 1))
    drift = np.sin(2 * np.pi * slow * seconds + draw.uniform(0, 2 * np.pi, (9, 3, 1)))
    drift = (drift * draw.normal(0, 0.05, (9, 3, 1))).sum(axis=1)
    hum = draw.exponential(0.008) * draw.uniform(0.3, 1.0, (9, 1)) * np.sin(2 * np.pi * MAINS * seconds)
    muscle = draw.lognormal(np.log(0.008), 0.5) * draw.standard_normal((9, len(seconds)))
    disturbances: Floats = drift + hum + muscle
    return disturbances
