"""Radiologists' reports: from an archive of texts to findings and impression."""
