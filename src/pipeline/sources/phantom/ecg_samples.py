"""The phantom's ECGs as an electrocardiograph stores them: 16-bit samples."""

import numpy as np
import numpy.typing as npt

from pipeline.sources.phantom.ecg import electrocardiogram
from pipeline.sources.phantom.patient import Patient
from pipeline.sources.phantom.study import Study

GAIN = 200.0
"""Steps per millivolt, as in MIMIC-IV-ECG."""


def stored_samples(patient: Patient, study: Study) -> npt.NDArray[np.int16]:
    """Return the samples of a study's ECG, [5000, 12]; leads in the order of MIMIC-IV-ECG."""
    steps = np.rint(electrocardiogram(patient, study).T * GAIN)
    return np.clip(steps, -32767, 32767).astype("<i2")  # -32768 stands for a missing sample
