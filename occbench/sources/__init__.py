"""Clean images in: one data format per file."""
