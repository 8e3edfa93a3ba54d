"""Occlusion-robustness methods: one per file."""
