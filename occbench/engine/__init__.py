"""Where jobs run: local processes, a cluster."""
