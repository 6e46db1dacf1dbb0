"""From line integrals to the 8-bit image on the screen: scatter, quantum noise, display curve, shutters."""

import math

import cv2
import numpy as np

from pipeline.sources.phantom.intervals import Map, Mask
from pipeline.sources.phantom.study import Exposure

PIXEL_APERTURE = 0.45
"""Standard deviation of the area that a pixel averages over, pixels; rays meet its centre only."""

SCATTER_SPREAD = 28.0
"""Standard deviation of the scatter kernel, mm."""

UNSHARPNESS = 0.55
"""Standard deviation of focal spot and detector blur, mm."""

ENHANCED_SIZE = 9.0
"""Standard deviation of the smooth image that edge enhancement subtracts, mm."""


def expose(line_integral: Map, exposure: Exposure, pixel: float, draw: np.random.Generator) -> Map:
    """Return the log attenuation that the detector reads, [height, width]; `pixel` is the pitch in mm."""
    primary = _blur(np.exp(-line_integral), math.hypot(UNSHARPNESS / pixel, PIXEL_APERTURE))
    fluence = primary + np.float32(exposure.scatter) * _spread(primary, SCATTER_SPREAD / pixel)
    quanta = np.float32(1000 * exposure.dose * pixel**2)
    noise = draw.standard_normal(fluence.shape, dtype=np.float32)
    # Behind the shoulders few quanta are left; the floor is the electronic noise of the detector.
    read = np.maximum(fluence + noise * np.sqrt(fluence / quanta), np.float32(2e-4))
    log_attenuation: Map = -np.log(read)
    return log_attenuation


def display(log_attenuation: Map, inside: Mask, exposure: Exposure, pixel: float) -> Map:
    """Return gray values from 0 (black) to 1 with bone bright; the window follows the imaged body."""
    lung_gray, white = exposure.window
    lung, high = np.percentile(log_attenuation[inside], (2.0, white))
    low = lung - (high - lung) * lung_gray / (1 - lung_gray)
    gray = np.clip((log_attenuation - low) / (high - low), 0, 1).astype(np.float32)
    gray = gray ** np.float32(exposure.gamma)
    if exposure.edge_enhancement:
        coarse = _blur(gray, ENHANCED_SIZE / pixel)
        gray = gray + np.float32(0.5 * exposure.edge_enhancement) * (gray - coarse)
    clipped: Map = np.clip(gray, 0, 1)
    return clipped


def shutter(shape: tuple[int, int], exposure: Exposure) -> Mask:
    """Return the pixels inside the collimated field, [height, width]."""
    height, width = shape
    left, top, right, bottom = exposure.collimation
    u = (np.arange(width, dtype=np.float32) + 0.5) / width - 0.5
    v = ((np.arange(height, dtype=np.float32) + 0.5) / height - 0.5)[:, None]
    slant = np.float32(np.tan(np.radians(exposure.collimation_angle)))
    x, y = u + slant * v, v - slant * u
    # A shutter that is open does not cut the corners of a turned field.
    return (
        ((x >= left - 0.5) | (left == 0))
        & ((x <= 0.5 - right) | (right == 0))
        & ((y >= top - 0.5) | (top == 0))
        & ((y <= 0.5 - bottom) | (bottom == 0))
    )


def _spread(fluence: Map, sigma: float) -> Map:
    """Blur widely at a quarter of the resolution, where it costs a sixteenth."""
    height, width = fluence.shape
    small = cv2.resize(fluence, (max(width // 4, 1), max(height // 4, 1)), interpolation=cv2.INTER_AREA)
    blurred = _blur(np.asarray(small, np.float32), sigma / 4)
    return np.asarray(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _blur(image: Map, sigma: float) -> Map:
    """Return the image after a Gaussian of `sigma` pixels; the border pixels stand for what lies outside."""
    blurred = cv2.GaussianBlur(image, (0, 0), max(sigma, 0.3), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)
