"""From shards to tensors: counter-based order, checked reads, augmentation, normalisation."""
