"""Occlusion families: one per file; each turns an example and a condition into an overlay."""
