"""What a benchmark says: its rules, arms and claims, the papers' numbers, and which models (cells) that makes."""
