"""The phantom cohort: seeded patients, ray-cast chest X-rays, written in the corpora's own raw layouts."""
