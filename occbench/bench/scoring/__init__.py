"""A trained model asked about every test image under every condition; its answers as files."""
