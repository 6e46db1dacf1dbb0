"""One module per publisher's layout: raw tree to manifest rows."""
