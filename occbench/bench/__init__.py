"""The harness: protocols, training, scoring, metrics, statistics and records."""
