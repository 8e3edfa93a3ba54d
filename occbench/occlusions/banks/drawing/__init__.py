"""How the embedded bank occbench-30 is drawn: ``python -m occbench.occlusions.banks.drawing OUT_DIR [--sheet FILE]``."""
