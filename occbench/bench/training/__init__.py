"""A cell's training: the loop, what a method sees of it, the trial of a user's method."""
