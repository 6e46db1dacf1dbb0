"""Networks as pure modules: timm vision transformers, masked autoencoders, the pixel baseline."""
