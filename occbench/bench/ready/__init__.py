"""``occbench score``: ready models on datasets and plain folders, without training."""
