"""Chest X-ray representation learning, from raw downloads to a leaderboard."""

from importlib import import_module

# Here, since any room or test may be the first to import timm, and timm imports torchvision. By name,
# since it changes no result: an edit to it must make nothing stale.
import_module("pipeline.models.torchvision_operators").declare_when_missing()
