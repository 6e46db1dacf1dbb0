"""Webdataset tars with a parquet index that gives each sample's place and checksum."""
