"""What the benchmarks of masked autoencoding compare: training steps of ours and of Hugging Face's."""
