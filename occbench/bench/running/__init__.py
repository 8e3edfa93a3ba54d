"""``occbench run-benchmark``: cells trained and scored, as jobs, with progress and forecasts."""
