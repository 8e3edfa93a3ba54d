"""From run directories to tables: rows, differences, verdicts on claims, breakdowns, examples."""
