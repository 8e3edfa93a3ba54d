"""What is trained and tested on: the split, and the pixels of clean images and of their occluded twins."""
