"""The harness, from a benchmark's file to its tables; every room imports only from those below it."""
