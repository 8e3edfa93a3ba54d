"""From answers to numbers: outcomes, metrics, intervals, the bootstrap, records. Pure functions."""
