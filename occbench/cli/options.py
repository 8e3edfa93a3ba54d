"""Arguments and options that several verbs have: the same word means the same everywhere.

What a verb reads is an argument, what it writes is named by ``--out`` (cells by ``--runs``, because they are shared).
"""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "BenchmarkArgument",
    "BenchmarkOption",
    "BenchmarkSetOption",
    "DatasetArgument",
    "DryRunOption",
    "HalfWidthOption",
    "OutOption",
    "RecipeArgument",
    "RecipeSetOption",
    "RunsArgument",
    "SourceOption",
    "names",
]

RecipeArgument = Annotated[
    str,
    typer.Argument(metavar="RECIPE", help="A packaged recipe's name (see `occbench list recipes`) or a YAML file."),
]
BenchmarkArgument = Annotated[
    str,
    typer.Argument(
        metavar="BENCHMARK", help="A packaged benchmark's name (see `occbench list benchmarks`) or a YAML file."
    ),
]
DatasetArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A finished dataset.")]
RunsArgument = Annotated[
    Path, typer.Argument(metavar="RUNS", help="Folder of runs, as `occbench run-benchmark --runs` wrote it.")
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder for the picture, the numbers and the page.")]
SourceOption = Annotated[
    str,
    typer.Option(
        "--source",
        help="Folder, file, Hub repository or s3://BUCKET/FOLDER of the clean images; embedded ones need none.",
        show_default=False,
    ),
]
BenchmarkOption = Annotated[
    str,
    typer.Option(
        "--benchmark",
        help="A packaged benchmark's name or a YAML file: needed where the runs' benchmark is not packaged, or where "
        "RUNS holds several and one is asked for.",
        show_default="the one that the runs name",
    ),
]
RecipeSetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe, e.g. prepare.size_px=96. Repeatable."),
]
BenchmarkSetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the benchmark, e.g. train.epochs=3. Repeatable."),
]
HalfWidthOption = Annotated[
    float | None,
    typer.Option(
        "--half-width",
        help="Score only as many cells as the occluded average needs for an interval of this half-width at 95 %, in "
        "percentage points, e.g. 0.25; the same command without this option scores the others.",
        show_default="score every cell",
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done and what it takes; nothing is written or sent.")
]


def names(option: str) -> list[str]:
    """Return the items of a comma-separated option."""
    return [name.strip() for name in option.split(",") if name.strip()]
