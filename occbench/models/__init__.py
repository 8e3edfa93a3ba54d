"""Backbones cut into trunk and head."""
