"""The task of each method of pretraining."""

from pipeline.settings.methods import CxrMimSettings
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.cxr_mim import CxrMim
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding
from pipeline.tasks.pretraining import PretrainingTask


def build_task(settings: PretrainingSettings) -> PretrainingTask:
    """Return the task of a run, with weights drawn under its seed."""
    return CxrMim(settings) if isinstance(settings.task, CxrMimSettings) else MaskedAutoencoding(settings)
