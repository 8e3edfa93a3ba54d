"""occbench: exactly rendered, verifiable occluded-image datasets, and the benchmark that judges robustness on them."""
