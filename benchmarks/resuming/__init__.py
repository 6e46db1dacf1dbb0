"""What kills runs at moments of its choice, and the runs that the benchmark of resuming compares."""
