"""Measured results as plain values: what `bench` makes of finished runs and `report` draws. No logic, no files."""
