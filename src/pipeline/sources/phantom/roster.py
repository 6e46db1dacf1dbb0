"""Who is in a cohort, and which part of the corpus each patient belongs to."""

from collections.abc import Iterator

from pipeline.settings.corpora import PhantomSource
from pipeline.sources.phantom.patient import Patient, sample_patient
from pipeline.sources.phantom.study import Study, sample_studies


def held_out_numbers(source: PhantomSource) -> range:
    """Return the numbers of the last `test_fraction` of the patients: the publisher's held-out part."""
    end = source.first_patient + source.patients
    return range(end - round(source.test_fraction * source.patients), end)


def cohort_studies(source: PhantomSource) -> Iterator[tuple[Patient, Study]]:
    """Yield every study of every patient, by patient number and time."""
    for number in range(source.first_patient, source.first_patient + source.patients):
        patient = sample_patient(source.seed, number)
        for study in sample_studies(patient):
            yield patient, study
