"""`occbench generate`, `verify`, `preview` and `list`."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from occbench.cli.engine import Engine
from occbench.cli.options import DryRunOption, RecipeArgument, RecipeSetOption, SourceOption
from occbench.cli.verb import as_verb


def register(app: typer.Typer) -> None:
    """Add the verbs of this file to the command line."""
    app.command()(as_verb(generate, goes_on=True))
    app.command()(as_verb(verify))
    app.command()(as_verb(preview))
    app.command(name="list")(as_verb(list_plugins))


def generate(
    *,
    recipe: RecipeArgument = "",
    out: Annotated[
        str, typer.Option(help="The dataset's directory, or s3://BUCKET/NAME; absent, empty or an earlier run.")
    ],
    source: SourceOption = "",
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="REPO",
            help="In place of RECIPE: hub:NAMESPACE/NAME, published as a recipe, rebuilt from your own photographs.",
            show_default=False,
        ),
    ] = "",
    materialise: Annotated[
        bool,
        typer.Option("--materialise", "--materialize", help="Store every occluded image, not only how to render it."),
    ] = False,
    format: Annotated[  # noqa: A002 - the option's name
        Literal["parquet", "webdataset"] | None,
        typer.Option(help="Container of materialised images.", show_default="as in the recipe"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Shards that are made at the same time, each in a process; 0 works in this one.",
            show_default="one a core, or one a GPU for a network; on a cluster as many as fit",
        ),
    ] = None,
    where: Engine,
    limit: Annotated[
        int | None, typer.Option(help="At most so many clean images, evenly spread.", show_default="all")
    ] = None,
    set_: RecipeSetOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first image that cannot be used.")] = False,
    dry_run: DryRunOption = False,
    assume_images: Annotated[
        int | None,
        typer.Option(help="With --dry-run: plan as if the source had so many images.", show_default="what it has"),
    ] = None,
) -> None:
    """Make a dataset from a recipe. An interrupted run goes on when the same command is given again."""
    from occbench.cli.progress import generating
    from occbench.cli.publishing import rebuild_published
    from occbench.cli.terminal import show_estimate, show_manifest
    from occbench.core.errors import ConfigError
    from occbench.data.places import is_url
    from occbench.data.recipe import load_recipe
    from occbench.generate.estimate import default_workers, estimate
    from occbench.generate.plan import plan
    from occbench.generate.run import generate as run

    place = out if is_url(out) else Path(out)
    changes = list(set_ or [])
    changes += ["storage.layout=materialised"] if materialise else []
    changes += [f"storage.format={format}"] if format else []
    if from_:
        if recipe or changes or limit is not None or strict or dry_run:
            raise ConfigError(
                "--from takes everything from what was published; beside it give only --source and --out."
            )
        rebuild_published(from_, place, source, partial(where.for_recipe, workers=workers))
        return
    if not recipe:
        raise ConfigError("generate needs a recipe: one of `occbench list recipes`, a YAML file, or --from hub:...")
    loaded = load_recipe(recipe, changes)
    if dry_run:
        planned = plan(loaded, loaded.open_source(source), source, limit)
        show_estimate(estimate(planned, assume_images), default_workers(loaded) if workers is None else workers)
        return
    executor = where.for_recipe(loaded, workers)
    with generating(f"Generating {loaded.name}", len(loaded.conditions())) as show:
        manifest = run(
            loaded,
            place,
            source_path=source,
            limit=limit,
            strict=strict,
            executor=executor,
            on_progress=show,
        )
    show_manifest(manifest, place)


def verify(
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="A finished dataset; one at s3://BUCKET/NAME is fetched first.")
    ],
    sample: Annotated[
        int, typer.Option(help="Clean images whose rows are rendered again; all where there are fewer.")
    ] = 64,
) -> None:
    """Prove a dataset: hash every file, render a sample of rows again, compare exactly.

    Exit code 1 where something is wrong.
    """
    from rich.console import Console

    from occbench.data.remote import local_copy
    from occbench.data.verify import verify as check

    with Console(stderr=True).status("Verifying") as status, local_copy(directory) as folder:
        report = check(folder, sample, lambda what: status.update(f"Verifying {what}"))
    for problem in report.problems:
        typer.secho(f"  {problem}", fg="red")
    compared = "pixels and bytes equal" if report.bytes_compared else "pixels equal"
    if report.problems:
        typer.secho(f"{directory}: {len(report.problems)} problems in {report.files} files.", fg="red")
        raise typer.Exit(1)
    typer.secho(
        f"{directory}: sound. {report.files} files re-hashed, {report.rows:,} rows rendered again, {compared}.",
        fg="green",
    )


def preview(
    recipe_or_directory: Annotated[
        str, typer.Argument(metavar="RECIPE|DIR", help="A recipe's name or YAML file, or a finished dataset.")
    ],
    out: Annotated[Path, typer.Option(help="A .png contact sheet or an .html page.")],
    source: SourceOption = "",
    images: Annotated[int, typer.Option(help="Clean images to show.")] = 6,
    set_: RecipeSetOption = None,
) -> None:
    """Draw a contact sheet: clean images and each condition with its achieved ratio."""
    from occbench.report.preview import preview as draw

    written = draw(recipe_or_directory, out, source_path=source, images=images, overrides=list(set_ or []))
    typer.echo(f"{written}: open it in a browser or image viewer.")


def list_plugins(
    kind: Annotated[
        Literal["recipes", "benchmarks", "sources", "occlusions", "methods", "models", "heads", "extractors"],
        typer.Argument(metavar="KIND", help="What to list."),
    ],
) -> None:
    """List what there is of a kind, with a line about each."""
    from occbench.bench.protocol.benchmark import benchmark_names, load_benchmark
    from occbench.core.plugins import describe_plugins
    from occbench.data.recipe import load_recipe, recipe_names

    if kind == "recipes":
        rows = [(name, load_recipe(name).description) for name in recipe_names()]
    elif kind == "benchmarks":
        rows = [(name, load_benchmark(name).description) for name in benchmark_names()]
    else:
        rows = describe_plugins(kind)
    width = max(len(name) for name, _ in rows)
    for name, line in rows:
        typer.echo(f"{name:<{width}}  {line}")
