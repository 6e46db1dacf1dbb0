"""Chest X-ray representation learning, from raw downloads to a leaderboard."""

from pipeline.models import torchvision_operators

# Here, since any room or test may be the first to import timm, and timm imports torchvision.
torchvision_operators.declare_when_missing()
