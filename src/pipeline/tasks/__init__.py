"""Model and loss as one module per method: `task(batch)` gives the loss and what else is worth logging."""
