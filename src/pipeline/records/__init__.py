"""What a run leaves behind: published files, digests, metric and run records, event logs."""
