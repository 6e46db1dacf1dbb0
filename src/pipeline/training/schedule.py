"""The learning rate as a function of the step alone."""

import math

from pipeline.settings.training import OptimizationSettings


def learning_rate(step: float, settings: OptimizationSettings) -> float:
    """Return the learning rate of a step, counted from 0: linear warm-up, then half a cosine.

    Golden values: spec Medical MAE G (with steps counted in epochs).
    """
    peak, floor = settings.learning_rate, settings.min_learning_rate
    if step < settings.warmup_steps:
        return peak * step / settings.warmup_steps
    progress = (step - settings.warmup_steps) / (settings.steps - settings.warmup_steps)
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * progress))
