"""`occbench publish` and `export`, and the rebuilding of what was published."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from occbench.cli.options import DatasetArgument, DryRunOption, names
from occbench.cli.terminal import readable_bytes
from occbench.cli.verb import as_verb

if TYPE_CHECKING:
    from occbench.core.hub import RepoName
    from occbench.core.interfaces import Executor
    from occbench.data.readme import Mode
    from occbench.data.recipe import Recipe
    from occbench.publish.bundle import Bundle
    from occbench.publish.hub import Access, Progress


def register(app: typer.Typer) -> None:
    """Add the verbs of this file to the command line."""
    for verb in (publish, export):
        app.command()(as_verb(verb, goes_on=True))


def publish(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A finished dataset, or a folder of runs.")],
    repo_id: Annotated[
        str, typer.Argument(metavar="REPO", help="NAMESPACE/NAME on the Hugging Face Hub; made where it is missing.")
    ],
    as_: Annotated[
        Literal["pixels", "recipe", "gated"],
        typer.Option("--as", help="The images; what rebuilds them; or the images for those who accept their terms."),
    ] = "pixels",
    private: Annotated[bool, typer.Option("--private", help="Only its owners see it.")] = False,
    revision: Annotated[str, typer.Option(help="A branch; made where it is missing.", show_default="main")] = "",
    licence: Annotated[
        str,
        typer.Option(
            "--licence",
            "--license",
            help="Identifier of the licence, e.g. cc-by-4.0; needed where the source states none.",
            show_default="the source's",
        ),
    ] = "",
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="With a folder of runs: their weights too, as a model repository.")
    ] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Put a dataset, or runs, on the Hugging Face Hub. Interrupted, the same command goes on where it stopped."""
    from occbench.core.errors import ConfigError
    from occbench.core.hub import RepoName, parse_repo
    from occbench.data.layout import MANIFEST_FILE, WORK_FOLDER
    from occbench.publish.hub import Access

    repo = parse_repo(repo_id)
    repo = RepoName(repo.id, revision or repo.revision)
    access = Access(private, gated=as_ == "gated")
    if (directory / MANIFEST_FILE).is_file() or (directory / WORK_FOLDER).is_dir():
        if checkpoints:
            raise ConfigError("--checkpoints goes with a folder of runs; this is a dataset. Leave it out.")
        bundles = [_dataset(directory, repo, as_, licence)]
    else:
        bundles = _runs(directory, repo, licence, checkpoints)
    _send(bundles, repo, access, dry_run)


def export(
    directory: DatasetArgument,
    out: Annotated[Path, typer.Option(help="Folder to write: absent, empty or an earlier run.")],
    format: Annotated[  # noqa: A002 - the option's name
        Literal["folder", "fiftyone"],
        typer.Option(help="Class folders for each condition, or FiftyOne's image classification dataset."),
    ] = "folder",
    conditions: Annotated[
        str, typer.Option(help="Only these conditions, e.g. clean,mug1_20_c.", show_default="all, and clean")
    ] = "",
) -> None:
    """Write a dataset as plain PNG files with a table of their labels and conditions."""
    from occbench.cli.progress import work_progress
    from occbench.publish.export import export as write

    with work_progress("Exporting", "images") as show:
        count = write(directory, out, format, names(conditions), show)
    typer.secho(f"{out}: {count:,} images; rows.csv has their labels and conditions.", fg="green")


def rebuild_published(place: str, out: Path | str, source: str, executor_for: "Callable[[Recipe], Executor]") -> None:
    """Make a dataset that was published as a recipe again; what `occbench generate --from` does."""
    from occbench.cli.progress import generating
    from occbench.cli.terminal import show_manifest
    from occbench.data.kit import read_kit
    from occbench.data.remote import fetch_kit
    from occbench.generate.rebuild import rebuild

    folder = fetch_kit(place)
    recipe = read_kit(folder)[0].recipe
    executor = executor_for(recipe)
    with generating(f"Rebuilding {recipe.name}", len(recipe.conditions())) as show:
        made = rebuild(folder, out, source_path=source, executor=executor, on_progress=show)
    show_manifest(made.manifest, out)
    if made.identical:
        typer.secho("Every file has the published hash.", fg="green")
    else:
        typer.secho(
            f"The clean images have the published hashes; {len(made.differing)} files hold the same rows in other "
            "bytes, because other versions encoded them.",
            fg="yellow",
        )


def _dataset(directory: Path, repo: "RepoName", mode: "Mode", licence: str) -> "Bundle":
    from rich.console import Console

    from occbench.publish.dataset import Publication, dataset_bundle
    from occbench.publish.hub import page_of

    with Console(stderr=True).status("Hashing every file"):
        how = Publication(repo, page_of("dataset", repo), mode, licence, partial(_picture, directory, mode))
        return dataset_bundle(directory, how)


def _runs(directory: Path, repo: "RepoName", licence: str, checkpoints: bool) -> "list[Bundle]":
    from tempfile import TemporaryDirectory

    from occbench.publish.run_files import find_runs
    from occbench.publish.runs import checkpoints_bundle, runs_bundle

    find_runs(directory)  # before the heavy imports
    from occbench.bench.tables.table import build_results
    from occbench.report.results_report import write_report

    with TemporaryDirectory() as folder:
        written = write_report(build_results(directory), Path(folder))
        report = {path.name: path.read_bytes() for path in written}
    bundles = [runs_bundle(directory, report, repo, licence)]
    return [*bundles, checkpoints_bundle(directory, repo, licence)] if checkpoints else bundles


def _picture(directory: Path, mode: "Mode") -> bytes:
    """Draw the card's picture: rows of the dataset, or of the embedded images where its own stay at home."""
    from tempfile import TemporaryDirectory

    from occbench.core.errors import OccbenchError
    from occbench.data.manifest import read_manifest
    from occbench.report.preview import preview

    manifest = read_manifest(directory)
    with TemporaryDirectory() as folder:
        out = Path(folder) / "preview.png"
        if mode == "pixels":
            return preview(str(directory), out, images=4).read_bytes()
        recipe = Path(folder) / "recipe.yaml"
        recipe.write_text(_on_embedded_images(manifest.recipe.model_dump_json()), encoding="utf-8")
        try:
            return preview(str(recipe), out, images=4).read_bytes()
        except OccbenchError:  # families that need what only the recipe's own images have: the card does without
            return b""


def _on_embedded_images(recipe: str) -> str:
    content = json.loads(recipe)
    content["source"] = {"name": "toyparts"}
    return json.dumps(content)


def _send(bundles: "list[Bundle]", repo: "RepoName", access: "Access", dry_run: bool) -> None:
    from occbench.cli.progress import work_progress
    from occbench.publish.hub import page_of
    from occbench.publish.hub import publish as send

    for bundle in bundles:
        for note in bundle.notes:
            typer.secho(note, fg="yellow", err=True)
        if dry_run:
            for file in bundle.all_files:
                typer.echo(f"{file.bytes:>15,}  {file.path}")
            typer.echo(
                f"{len(bundle.all_files)} files, {bundle.bytes:,} bytes ({readable_bytes(bundle.bytes)}) would go to "
                f"{page_of(bundle.kind, repo)}; nothing was sent."
            )
            continue
        with work_progress(f"Publishing {repo.id}", "are there", readable_bytes) as show:
            done = send(bundle, repo, access, partial(_tell, show))
        typer.secho(
            f"{done.url}: {done.sent} files sent ({readable_bytes(done.sent_bytes)}), {done.kept} were there already.",
            fg="green",
        )
        if done.removed:
            typer.echo(f"{len(done.removed)} files of an earlier publication were removed; the history keeps them.")


def _tell(show: "Callable[[float, float, str], None]", now: "Progress") -> None:
    show(now.done_bytes, now.bytes, f"the Hub is busy: {now.note}" if now.note else "")
