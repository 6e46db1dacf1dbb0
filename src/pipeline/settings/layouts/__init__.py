"""Settings of the layouts: how each publisher arranges files and tables."""
