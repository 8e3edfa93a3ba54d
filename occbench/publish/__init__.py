"""Cards, metadata and the Hub."""
