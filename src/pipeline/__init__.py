"""Chest X-ray representation learning, from raw downloads to a leaderboard."""
