"""Laboratory values: which there are, first values around a time, and percentiles."""
