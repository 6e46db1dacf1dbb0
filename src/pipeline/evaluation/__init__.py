"""From features to numbers: convex probes, exact rank statistics and patient-level intervals."""
