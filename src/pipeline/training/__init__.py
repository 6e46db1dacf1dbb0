"""The one training loop: optimiser groups, schedule, resumable state, history."""
