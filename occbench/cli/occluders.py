"""`occbench occluders`: banks of occluders."""

from pathlib import Path
from typing import Annotated

import typer

from occbench.cli.verb import as_verb

app = typer.Typer(no_args_is_help=True, help="Make banks of occluders.")


def from_coco(
    annotations: Annotated[Path, typer.Argument(metavar="ANNOTATIONS", help="COCO-style instances JSON.")],
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="Folder of its images.")],
    out: Annotated[Path, typer.Option(help="Folder for the RGBA files; must be absent or empty.")],
    limit: Annotated[int, typer.Option(help="At most so many occluders.")] = 30,
    min_area_px: Annotated[int, typer.Option(help="Smallest instance, in pixels of its mask.")] = 4096,
) -> None:
    """Cut occluders out of COCO-style instance masks: whole, large, no persons."""
    from occbench.occlusions.banks.cutting import CutRule
    from occbench.occlusions.banks.from_coco import cut_occluders

    report = cut_occluders(annotations, images, out, count=limit, rule=CutRule(min_area_px=min_area_px))
    skipped = "".join(f"; {number} left out: {reason}" for reason, number in report.skipped.items())
    typer.echo(f"{out}: {len(report.written)} occluders{skipped}. Next: --set occlusions.0.bank={out}")


app.command(name="from-coco")(as_verb(from_coco))
