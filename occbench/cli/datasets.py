"""`occbench generate`, `verify`, `preview` and `list`."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from occbench.cli.engine import AddressOption, Engine, EngineOption

RecipeArgument = Annotated[
    str, typer.Argument(help="A packaged recipe's name (see `occbench list recipes`) or a YAML file.")
]
SourceOption = Annotated[
    str, typer.Option("--source", help="Folder, file, Hub repository or s3://BUCKET/FOLDER of the clean images.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one key of the recipe, e.g. --set prepare.size_px=96. Repeatable."),
]


def register(app: typer.Typer) -> None:
    """Add the verbs of this file to the command line."""
    for verb in (generate, verify, preview):
        app.command()(verb)
    app.command(name="list")(list_plugins)


def generate(
    *,
    recipe: RecipeArgument = "",
    out: Annotated[
        str,
        typer.Option("--out", help="The dataset's directory, or s3://BUCKET/NAME; absent, empty or an earlier run."),
    ],
    source: SourceOption = "",
    from_: Annotated[
        str,
        typer.Option("--from", help="hub:NAMESPACE/NAME, published as a recipe: rebuild it from your own photographs."),
    ] = "",
    materialise: Annotated[
        bool,
        typer.Option("--materialise", "--materialize", help="Store every occluded image, not only how to render it."),
    ] = False,
    format: Annotated[  # noqa: A002 - the option's name
        Literal["parquet", "webdataset"] | None,
        typer.Option(help="Container of materialised images; default as in the recipe."),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            help="Processes; 0 works in this one. Default: one a core, or one a GPU for a network. On a cluster: "
            "shards at the same time, by default as many as it takes."
        ),
    ] = -1,
    engine: EngineOption = "local",
    address: AddressOption = "auto",
    limit: Annotated[int | None, typer.Option(help="At most so many clean images, evenly spread.")] = None,
    set_: SetOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first image that cannot be used.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure a few images and say what a run would make.")
    ] = False,
    assume_images: Annotated[
        int | None,
        typer.Option(help="With --dry-run: plan as if the source had so many images."),
    ] = None,
) -> None:
    """Make a dataset from a recipe. An interrupted run goes on when the same command is given again."""
    from occbench.cli.publishing import rebuild_published
    from occbench.cli.terminal import progress_bar, show_estimate, show_manifest
    from occbench.core.errors import ConfigError
    from occbench.core.places import is_url
    from occbench.data.recipe import load_recipe
    from occbench.generate.plan import default_workers, estimate, plan
    from occbench.generate.run import generate as run

    where, place = Engine(engine, address), out if is_url(out) else Path(out)
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
        show_estimate(estimate(planned, assume_images), default_workers(loaded) if workers < 0 else workers)
        return
    executor = where.for_recipe(loaded, workers)
    with progress_bar(f"Generating {loaded.name}", len(loaded.conditions())) as show:
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
    directory: Annotated[str, typer.Argument(help="A finished dataset; one at s3://BUCKET/NAME is fetched first.")],
    sample: Annotated[
        int, typer.Option(help="Clean images whose rows are rendered again; all where there are fewer.")
    ] = 64,
) -> None:
    """Prove a dataset: hash every file, render a sample of rows again, compare exactly."""
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
    recipe_or_directory: Annotated[str, typer.Argument(help="A recipe's name or file, or a finished dataset.")],
    out: Annotated[Path, typer.Option("--out", help="A .png contact sheet or an .html page.")],
    source: SourceOption = "",
    images: Annotated[int, typer.Option(help="Clean images to show.")] = 6,
    set_: SetOption = None,
) -> None:
    """Draw a contact sheet: clean images and each condition with its achieved ratio."""
    from occbench.report.preview import preview as draw

    written = draw(recipe_or_directory, out, source_path=source, images=images, overrides=list(set_ or []))
    typer.echo(f"{written}: open it in a browser or image viewer.")


def list_plugins(
    what: Annotated[
        Literal["recipes", "benchmarks", "sources", "occlusions", "methods", "models", "heads", "extractors"],
        typer.Argument(help="What to list."),
    ],
) -> None:
    """List what there is, with a line about each."""
    from occbench.bench.protocol.benchmark import benchmark_names, load_benchmark
    from occbench.core.plugins import describe_plugins
    from occbench.data.recipe import load_recipe, recipe_names

    if what == "recipes":
        rows = [(name, load_recipe(name).description) for name in recipe_names()]
    elif what == "benchmarks":
        rows = [(name, load_benchmark(name).description) for name in benchmark_names()]
    else:
        rows = describe_plugins(what)
    width = max(len(name) for name, _ in rows)
    for name, line in rows:
        typer.echo(f"{name:<{width}}  {line}")
