"""Networks as pure modules: timm vision transformers, masked autoencoders, the pixel baseline."""

from pipeline.models import torchvision_operators

torchvision_operators.declare_when_missing()
