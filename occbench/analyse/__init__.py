"""Pictures and numbers about finished runs: what deep features do under occlusion, and what hurts.

Each file computes one analysis from run directories and the benchmark's images; a ``*_picture.py`` beside it draws it.
"""
