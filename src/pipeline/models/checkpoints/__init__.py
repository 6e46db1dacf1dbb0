"""Checkpoints that others published: their digest, their tensors, and the encoder among those."""
