"""Linear attenuation coefficients, 1/mm, at an effective 65 keV (a 110 kVp beam behind a chest)."""

TISSUE = 0.0195
"""Muscle, blood and water."""

LUNG = 0.0052
"""Aerated lung, a density of about 0.26 g/ml."""

VESSEL = TISSUE - LUNG
"""What blood adds to aerated lung."""

BONE = 0.021
"""What spongy bone with its cortex adds to soft tissue, at the mean age."""

METAL = 0.3
"""What steel adds to soft tissue."""

PLASTIC = 0.06
"""What a radio-opaque catheter adds to soft tissue."""
