"""From a publisher's raw files to manifest rows: fetchers, inventories, one adapter per corpus."""
