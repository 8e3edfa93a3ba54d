"""From images to what a network takes: augmentation, batches, the frozen part's work done once, several GPUs."""
