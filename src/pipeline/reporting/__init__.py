"""What people look at: leaderboard, curves, reconstructions and one page, as pure functions of records."""
