"""Draw the bank: ``python -m occbench.occlusions.banks.drawing OUT_DIR [--sheet FILE]``."""

import argparse
from pathlib import Path

from occbench.occlusions.banks.drawing.bank import draw_bank
from occbench.occlusions.banks.drawing.sheet import write_sheet


def main() -> None:
    """Read the command line, write the bank and, if asked, its contact sheet."""
    parser = argparse.ArgumentParser(
        prog="python -m occbench.occlusions.banks.drawing", description="Draw occbench-30."
    )
    parser.add_argument("folder", type=Path, help="where the 30 PNG files and bank.json go")
    parser.add_argument("--sheet", type=Path, help="also write the contact sheet to this PNG file")
    asked = parser.parse_args()
    draw_bank(asked.folder)
    if asked.sheet:
        write_sheet(asked.folder, asked.sheet)


if __name__ == "__main__":
    main()
