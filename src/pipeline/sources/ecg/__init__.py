"""Electrocardiograms: WFDB records read quickly, and made ready for an encoder."""
