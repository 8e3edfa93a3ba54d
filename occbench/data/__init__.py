"""Datasets on disk: the format, its writers and readers, and the proof that a dataset is what it says."""
