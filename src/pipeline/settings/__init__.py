"""The configuration as typed models: one module per stage, each field with its meaning and unit."""
