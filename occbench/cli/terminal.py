"""What the verbs draw on the terminal: progress, estimates, summaries."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from occbench.data.manifest import Manifest
    from occbench.generate.plan import Estimate
    from occbench.generate.run import Progress as Finished


@contextmanager
def progress_bar(title: str, conditions: int) -> "Iterator[Callable[[Finished], None]]":
    """Yield a function that draws the progress of a run: images, occluded images a second, time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("images, {task.fields[rate]:,.0f} occluded/s,"),
        TimeRemainingColumn(),
        TextColumn("left{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None, rate=0.0, note="")
        started = time.monotonic()

        def show(now: "Finished") -> None:
            elapsed_s = max(time.monotonic() - started, 1e-9)
            notes = [f", {now.resumed} kept from before"] if now.resumed else []
            notes += [f", {now.quarantined} set aside"] if now.quarantined else []
            bar.update(
                task,
                total=now.images,
                completed=now.images_done,
                rate=(now.images_done - now.resumed) * conditions / elapsed_s,
                note="".join(notes),
            )

        yield show


def show_estimate(found: "Estimate", workers: int) -> None:
    """Print what a dry run found out."""
    typer.echo(f"{found.images:,} clean images, {found.rows:,} occluded images, {found.shards:,} shards")
    typer.echo(
        f"{readable_bytes(found.total_bytes)} on disk, {readable_time(found.wall_s(workers))} with {workers} workers"
    )
    if found.device:
        typer.echo(f"{found.core_s / 3600:,.2f} GPU-hours, measured on {found.device}")
    typer.echo(f"measured on {found.sampled_images} images on this machine; nothing was written")


def show_manifest(manifest: "Manifest", out: Path) -> None:
    """Print what a finished dataset is and what to do with it next."""
    total = sum(file.bytes for file in manifest.files)
    stored = "stored" if manifest.materialised else "rendered while they are read"
    typer.secho(
        f"{out}: {manifest.images:,} clean images x {manifest.conditions} conditions = {manifest.rows:,} "
        f"occluded images ({stored}), {readable_bytes(total)}.",
        fg="green",
    )
    for note in manifest.source.notes:
        typer.secho(f"{manifest.source.name}: {note}", fg="yellow")
    if manifest.quarantined:
        typer.secho(f"{manifest.quarantined} images could not be used: see {out / 'quarantine.jsonl'}.", fg="yellow")
    typer.echo(
        f"Next: occbench verify {out}; occbench preview {out} --out preview.png; in Python, occbench.load({str(out)!r})"
    )


def readable_bytes(count: int) -> str:
    """Return a size in the unit that fits, e.g. ``1.4 GB`` (1 GB = 10**9 bytes)."""
    value, units = float(count), ["B", "kB", "MB", "GB", "TB", "PB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def readable_time(seconds: float) -> str:
    """Return a duration in the units that fit, e.g. ``2 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
