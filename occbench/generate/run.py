"""`occbench generate`: from a recipe and a source to a complete dataset directory."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from occbench.core.files import hash_file, remove_partial_files, write_bytes
from occbench.core.interfaces import Executor, Source
from occbench.data.layout import CARD_FILE, PATTERNS_FILE, QUARANTINE_FILE
from occbench.data.manifest import FORMAT_VERSION, FileEntry, Manifest, SourceEntry, made_with
from occbench.data.pattern_table import write_pattern_table
from occbench.data.places import is_url
from occbench.data.readme import write_readme
from occbench.data.recipe import Recipe
from occbench.data.webdataset import require_webdataset
from occbench.engine.local import LocalExecutor
from occbench.generate.local_workdir import LocalWorkdir
from occbench.generate.plan import Plan, plan
from occbench.generate.remote_workdir import RemoteWorkdir
from occbench.generate.shard import ReadyOverlays, Shard, ShardReport
from occbench.generate.workdir import Workdir

__all__ = ["Progress", "generate"]


@dataclass(frozen=True)
class Progress:
    """Where a run stands; sent after every shard.

    Attributes:
        images_done: clean images finished, those of earlier runs among them.
        images: clean images in all.
        resumed: clean images that an earlier run had finished.
        quarantined: images set aside so far.
    """

    images_done: int
    images: int
    resumed: int
    quarantined: int


def generate(  # noqa: PLR0913 - the verb people call: every option has a default and a name
    recipe: Recipe,
    out: Path | str,
    *,
    source_path: str = "",
    limit: int | None = None,
    strict: bool = False,
    executor: Executor | None = None,
    ready: ReadyOverlays | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Manifest:
    """Make a dataset, or finish one that was interrupted; a finished one is returned as it is.

    Args:
        recipe: what to make; see ``data.recipe.load_recipe``.
        out: the dataset's directory, or a URL that fsspec writes (``s3://bucket/name``): absent, empty, or an earlier
            run of the same recipe, source and limit.
        source_path: folder, file or repository that the recipe's source reads.
        limit: at most so many clean images, evenly spread over the source.
        strict: stop at the first image that cannot be used instead of setting it aside in ``quarantine.jsonl``.
        executor: where shards are made; by default in this process.
        ready: overlays that are taken instead of being made.
        on_progress: called after every shard.

    Returns:
        The manifest that was written.

    Raises:
        ConfigError, PluginError, SourceError, OcclusionError: the recipe cannot be carried out.
        DatasetError, StorageError: the directory belongs to something else or cannot be written.
        BrokenImageError: with ``strict``, the first image that cannot be used.
    """
    if recipe.storage.format == "webdataset":
        require_webdataset()
    source = recipe.open_source(source_path)
    planned = plan(recipe, source, source_path, limit, ready)
    workdir: Workdir = RemoteWorkdir(str(out), planned) if is_url(out) else LocalWorkdir(Path(out), planned)
    if workdir.complete:
        return workdir.manifest()
    with workdir.claimed() as folder:
        reports = _make(planned, workdir, planned.shards(folder, strict), executor or LocalExecutor(), on_progress)
        manifest = _finish(planned, source, folder, reports)
        workdir.close()
    return manifest


def _make(
    planned: Plan,
    workdir: Workdir,
    shards: list[Shard],
    executor: Executor,
    on_progress: Callable[[Progress], None],
) -> list[ShardReport]:
    """Make the shards that are missing and return every shard's report, in order."""
    reports = workdir.finished(shards)
    missing = [shard for shard in shards if shard.number not in reports]
    resumed = sum(report.images + len(report.quarantined) for report in reports.values())

    def tell() -> None:
        done = sum(report.images + len(report.quarantined) for report in reports.values())
        quarantined = sum(len(report.quarantined) for report in reports.values())
        on_progress(Progress(done, len(planned.indices), resumed, quarantined))

    tell()
    for shard, report in executor.map(workdir.job, missing):
        reports[shard.number] = report
        tell()
    return [reports[shard.number] for shard in shards]


def _finish(planned: Plan, source: Source, out: Path, reports: list[ShardReport]) -> Manifest:
    """Write what belongs to the whole dataset, the manifest last."""
    recipe = planned.recipe
    remove_partial_files(out)  # of workers that died and were replaced
    quarantined = [item for report in reports for item in report.quarantined]
    lines = "".join(json.dumps(item.model_dump(), sort_keys=True, ensure_ascii=False) + "\n" for item in quarantined)
    write_bytes(out / QUARANTINE_FILE, lines.encode())
    pattern_rows = write_pattern_table(out / PATTERNS_FILE, recipe)
    content = Manifest(
        format_version=FORMAT_VERSION,
        recipe=recipe,
        pixels_fingerprint=planned.pixels_fingerprint,
        dataset_fingerprint=planned.dataset_fingerprint,
        source=SourceEntry(
            name=recipe.source.name,
            fingerprint=source.fingerprint,
            images=len(planned.indices),
            terms=source.terms,
            notes=source.notes(),
        ),
        classes=tuple(source.classes),
        multi_label=source.multi_label,
        images=sum(report.images for report in reports),
        conditions=planned.conditions,
        quarantined=len(quarantined),
        files=(),
        achieved=_achieved(reports),
        made_with=made_with(),
        made_by=planned.made_by,
    )
    write_readme(out / CARD_FILE, content)
    files = [file for report in reports for file in report.files]
    files += [
        _entry(out, QUARANTINE_FILE, len(quarantined)),
        _entry(out, PATTERNS_FILE, pattern_rows),
        _entry(out, CARD_FILE, 0),
    ]
    manifest = content.model_copy(update={"files": tuple(sorted(files, key=lambda file: file.path))}).sealed()
    manifest.write(out)
    return manifest


def _entry(out: Path, path: str, rows: int) -> FileEntry:
    return FileEntry(path=path, rows=rows, bytes=(out / path).stat().st_size, sha256=hash_file(out / path))


def _achieved(reports: list[ShardReport]) -> Mapping[str, Mapping[str, float]]:
    summary: dict[str, dict[str, float]] = {}
    for group in sorted({group for report in reports for group in report.achieved}):
        found = [report.achieved[group] for report in reports if group in report.achieved]
        rows = sum(item[3] for item in found)
        summary[group] = {
            "least": min(item[0] for item in found),
            "mean": round(sum(item[1] for item in found) / rows, 9),
            "greatest": max(item[2] for item in found),
        }
    return summary
