"""Downloads of published corpora: resumed, verified, and never half-published."""
