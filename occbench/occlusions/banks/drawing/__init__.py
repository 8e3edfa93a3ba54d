"""Draws the embedded bank occbench-30: ``python -m occbench.occlusions.banks.drawing OUT_DIR [--sheet FILE]``."""
