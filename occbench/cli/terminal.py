"""What the verbs say on the terminal: estimates, plans, summaries."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from occbench.bench.images.materials import Materials
    from occbench.bench.measures.records import Record
    from occbench.bench.protocol.cell import Cell
    from occbench.bench.running.forecast import Forecast
    from occbench.bench.running.jobs import Request
    from occbench.data.manifest import Manifest
    from occbench.generate.estimate import Estimate


def show_estimate(found: "Estimate", workers: int) -> None:
    """Print what a dry run found out."""
    typer.echo(f"{found.images:,} clean images, {found.rows:,} occluded images, {found.shards:,} shards")
    typer.echo(
        f"{readable_bytes(found.total_bytes)} on disk, {readable_time(found.wall_s(workers))} with {workers} workers"
    )
    if found.device:
        typer.echo(f"{found.core_s / 3600:,.2f} GPU-hours, measured on {found.device}")
    images = "1 image" if found.sampled_images == 1 else f"{found.sampled_images} images"
    typer.echo(f"measured on {images} on this machine; nothing was written")


def show_manifest(manifest: "Manifest", out: Path | str) -> None:
    """Print what a finished dataset is and what to do with it next."""
    total = sum(file.bytes for file in manifest.files)
    stored = "stored" if manifest.storage.materialised else "rendered while they are read"
    typer.secho(
        f"{out}: {manifest.images:,} clean images x {manifest.conditions} conditions = {manifest.rows:,} "
        f"occluded images ({stored}), {readable_bytes(total)}.",
        fg="green",
    )
    for note in manifest.source.notes:
        typer.secho(f"{manifest.source.name}: {note}", fg="yellow")
    if manifest.quarantined:
        typer.secho(f"{manifest.quarantined} images could not be used: see {out}/quarantine.jsonl.", fg="yellow")
    if isinstance(out, str):
        typer.echo(f"Next: occbench verify {out}; in Python, occbench.load({out!r})")
        return
    typer.echo(
        f"Next: occbench verify {out}; occbench preview {out} --out preview.png; in Python, occbench.load({str(out)!r})"
    )


def show_plan(materials: "Materials", todo: "list[Cell]", runs: Path) -> None:
    """Print what will be trained and scored."""
    from occbench.bench.running.left import left_of

    done = sum(not left_of(cell, materials, runs) for cell in todo)
    images = len(materials.test) * len(materials.test_conditions)
    typer.echo(
        f"{materials.benchmark.name}: {len(todo)} cells ({done} finished), {len(materials.train)} training, "
        f"{len(materials.validation)} validation, {len(materials.pairs)} paired and {len(materials.test)} test images "
        f"x {len(materials.test_conditions)} conditions = {images:,} classifications a cell"
    )


def show_forecast(found: "Forecast", request: "Request") -> None:
    """Print what a dry run found out."""
    at_most = " at most" if request.half_width is not None else ""
    jobs = f"{request.jobs} jobs" if request.jobs > 1 else "1 job"
    typer.secho(
        f"{found.cells - found.finished} cells to run{at_most}: {readable_time(found.wall_s)} with {jobs} (training "
        f"{readable_time(found.train_s)}, scoring {found.predictions:,} images {readable_time(found.score_s)}, all "
        "jobs added up)",
        bold=True,
    )
    for kind in found.kinds:
        typer.echo(
            f"  {kind.label}: {kind.cells} cells, an epoch {readable_time(kind.epoch_s)}, a prediction "
            f"{1000 * kind.prediction_s:.2f} ms"
        )
    typer.echo(f"measured in {readable_time(found.sampled_s)} on this machine; nothing was written")


def show_cell(cell: "Cell", records: "list[Record]", runs: Path) -> None:
    """Print the result of a cell, and what of its test set was left out."""
    from occbench.bench.measures.records import HEADLINE_METRICS
    from occbench.bench.scoring.home import stored_manifest
    from occbench.core.run_folder import RunFolder

    row = {record.group: record for record in records if record.metric in HEADLINE_METRICS}
    clean, average = f"clean {row['clean'].value:.2f}, " if "clean" in row else "", row["avg"]
    typer.secho(
        f"{cell.arm_name:<10} {cell.backbone} seed {cell.seed}: {clean}under occlusion "
        f"{average.value:.2f} [{average.low:.2f}, {average.high:.2f}]  ({runs / cell.fingerprint})",
        fg="green",
    )
    manifest = stored_manifest(RunFolder(runs / cell.fingerprint), cell.facts) or {}
    if part := manifest.get("part"):
        found, cells = part["estimate"], part["cells_of_full_matrix"]
        typer.echo(
            f"  of a part: {found['n_cells']:,} of {cells:,} occluded cells say {100 * found['value']:.2f} +- "
            f"{100 * found['half_width']:.2f} of all of them; {cells - found['n_cells']:,} were skipped, the same "
            "command without --half-width scores them"
        )


def readable_bytes(count: float) -> str:
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
