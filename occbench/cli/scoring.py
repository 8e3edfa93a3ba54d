"""`occbench score`: a ready model on a generated dataset, without training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from occbench.cli.options import HalfWidthOption
from occbench.cli.verb import as_verb

if TYPE_CHECKING:
    from occbench.bench.ready.score_ready import Scores


def register(app: typer.Typer) -> None:
    """Add the verbs of this file to the command line."""
    app.command()(as_verb(score, goes_on=True))


def score(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A dataset of `occbench generate`, or a folder with one folder per class."),
    ],
    model: Annotated[str, typer.Option(help="torchvision/NAME, timm/NAME, tiny or FILE.py:ClassName.")],
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A checkpoint (safetensors or .pth) of the model.", show_default=False),
    ] = None,
    pretrained: Annotated[bool, typer.Option("--pretrained", help="Take the model's published weights.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Run directory: absent, empty or begun before.", show_default="runs/<fingerprint>"),
    ] = None,
    classes_map: Annotated[
        Path | None,
        typer.Option(
            help="CSV file, `class,index` a line: the head's row for each class of the dataset.",
            show_default="by the classes' names",
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Images in a forward pass.")] = 64,
    stored: Annotated[
        bool, typer.Option("--stored", help="Read the occluded images that a materialised dataset stores.")
    ] = False,
    resize: Annotated[
        Literal["shorter_side", "direct"],
        typer.Option(help="Of a plain folder: resize the shorter side and crop the centre, or stretch to the square."),
    ] = "shorter_side",
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder for decoded images that do not fit into memory.", show_default="OUT/decoded"),
    ] = None,
    half_width: HalfWidthOption = None,
) -> None:
    """Score a ready model on clean and occluded images. A repeated command does only what is missing.

    The images of a plain folder are scored as they are.
    """
    import torch

    from occbench.bench.batches.pipeline import Pipeline
    from occbench.bench.ready.ready_data import open_data
    from occbench.bench.ready.ready_model import ready_model
    from occbench.bench.ready.score_ready import score_dataset
    from occbench.cli.progress import counting

    classes = open_data(directory, stored=stored).classes
    loaded = ready_model(model, classes, pretrained=pretrained, weights=weights, classes_map=classes_map)
    opened = open_data(directory, stored=stored, resize=resize, size_px=loaded.size_px)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    loaded.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    with counting("Scoring", "predictions", opened.images + opened.cells) as advance:
        found = score_dataset(
            opened,
            Pipeline(loaded, device, "fp32"),
            out,
            batch_size=batch_size,
            half_width=None if half_width is None else half_width / 100,
            decoded=cache,
            on_progress=advance,
        )
    conditions = len(opened.conditions) - 1
    typer.secho(f"{model} on {directory}: {opened.images:,} images x {conditions} conditions", bold=True)
    show_groups(found)
    show_effort(found)


def show_groups(found: "Scores") -> None:
    """Print the headline metric and its interval for the clean images, every condition group and the average."""
    from occbench.bench.measures.records import HEADLINE_METRICS

    rows = [record for record in found.records if record.metric in HEADLINE_METRICS]
    name = "  mAP" if rows[0].metric == "map" else "top-1"
    width = max(len(record.group) for record in rows)
    typer.echo(f"  {'':<{width}}   {name}   95 % interval    images")
    for record in rows:
        interval = f"[{record.low:6.2f}, {record.high:6.2f}]"
        typer.echo(f"  {record.group:<{width}}  {record.value:6.2f}  {interval}  {record.n:>7,}")


def show_effort(found: "Scores") -> None:
    """Print how much was scored, what the part says about the whole, and where it lies."""
    if (estimate := found.estimate) is not None:
        value, half_width = 100 * estimate.value, 100 * estimate.half_width
        typer.secho(
            f"avg of all {found.cells:,} cells, from {estimate.n_cells:,} of them "
            f"({100 * estimate.n_cells / found.cells:.1f} %): {value:.2f} +- {half_width:.2f} "
            f"[{value - half_width:.2f}, {value + half_width:.2f}] at 95 %",
            fg="green",
        )
        typer.echo(
            f"{found.cells - estimate.n_cells:,} cells were skipped: the same command without --half-width scores them."
        )
    made = f"{found.classified:,} predictions made now" if found.classified else "nothing was left to do"
    typer.echo(f"{found.folder}: {made}. Next: occbench report {found.folder.parent} --out report")
