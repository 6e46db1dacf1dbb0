"""Damage as disks, copies and people do it to shards, for the benchmark of faults and for tests."""
