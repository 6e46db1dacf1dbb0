"""What the benchmark of loaders compares: the samples in every form, and the peers that read them."""
