"""How a toyparts image is drawn: outlines of parts, a pose, clutter, one label map, and paint."""
