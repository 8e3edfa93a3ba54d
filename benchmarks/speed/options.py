"""Command-line options that scripts share which train the arms of a benchmark."""

import argparse
from pathlib import Path

import torch

__all__ = ["benchmark_options"]


def benchmark_options(description: str) -> argparse.ArgumentParser:
    """Return a parser of what is trained, on what, with which threads, and where the results go."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("benchmark", help="a packaged benchmark's name or a YAML file")
    parser.add_argument("--source", default="", help="the clean images")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the benchmark")
    parser.add_argument("--weights", type=Path, help="a checkpoint; random weights take as long")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser
