"""What a run will make, before it makes it: shards, images, and a measured estimate of bytes and time."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError, SourceError
from occbench.core.interfaces import Source
from occbench.data.recipe import Recipe
from occbench.data.shards import image_bytes
from occbench.generate.make_shard import make_shard
from occbench.generate.shard import ReadyOverlays, Shard

__all__ = ["Estimate", "Plan", "default_workers", "estimate", "plan", "uses_gpu"]

#: Clean images in a shard at most where overlays take seconds each: minutes of work, so that every GPU gets its share.
_STORED_IMAGES_PER_SHARD = 256
#: A folder holds fewer than 10,000 files on the Hugging Face Hub, and a file fewer than 20 GB: here of pixels that
#: nothing has compressed.
_MOST_SHARDS = 9_999
_LARGEST_FILE_BYTES = 18 * 10**9
#: Images rendered to measure a dry run: enough to average over image content, a second or two of work.
_SAMPLE_IMAGES = 12
#: 2**32 divided by the golden ratio.
_GOLDEN = 2654435769


@dataclass(frozen=True)
class Plan:
    """A run, laid out.

    Attributes:
        recipe: what to make.
        source_path: where the clean images are.
        source_fingerprint: what the source held when the run was laid out.
        indices: source indices of the clean images, ascending.
        conditions: conditions of each image.
        images_per_shard: clean images in a shard.
        dataset_fingerprint: decides whether a directory holds this dataset or another one.
        made_by: what makes the overlays that are stored; see ``Recipe.provenance``.
        ready: overlays that are taken instead of being made.
    """

    recipe: Recipe
    source_path: str
    source_fingerprint: str
    indices: tuple[int, ...]
    conditions: int
    images_per_shard: int
    dataset_fingerprint: str
    made_by: tuple[dict[str, Any], ...] = ()
    ready: ReadyOverlays | None = None

    @property
    def pixels_fingerprint(self) -> str:
        """Of the dataset's rows, however they are stored."""
        return self.recipe.pixels_fingerprint(self.made_by)

    @property
    def rows(self) -> int:
        """Occluded images."""
        return len(self.indices) * self.conditions

    def shards(self, directory: Path, strict: bool = False) -> list[Shard]:
        """Return every piece of work, in order."""
        starts = range(0, len(self.indices), self.images_per_shard)
        return [
            Shard(
                number=number,
                indices=self.indices[start : start + self.images_per_shard],
                directory=directory,
                recipe=self.recipe,
                source_path=self.source_path,
                source_fingerprint=self.source_fingerprint,
                strict=strict,
                made_by=self.made_by,
                ready=self.ready,
            )
            for number, start in enumerate(starts)
        ]


@dataclass(frozen=True)
class Estimate:
    """What a dry run found out by rendering a few images.

    Attributes:
        images: clean images.
        rows: occluded images.
        shards: shards.
        total_bytes: size on disk, bytes.
        core_s: time on one core, seconds; where a network works, on one device.
        sampled_images: how many images were rendered to find out.
        device: what the network worked on, such as a GPU's name; empty where there is none.
        devices: how many of it this machine has.
    """

    images: int
    rows: int
    shards: int
    total_bytes: int
    core_s: float
    sampled_images: int
    device: str = ""
    devices: int = 0

    def wall_s(self, workers: int) -> float:
        """Return the expected duration with ``workers`` processes, seconds, if they scale as cores or GPUs do."""
        return self.core_s / max(1, min(workers, self.devices if self.device else os.cpu_count() or 1))


def default_workers(recipe: Recipe) -> int:
    """Return how many processes suit a recipe on this machine: one a core, or one a GPU where a network works."""
    if not uses_gpu(recipe):
        return os.cpu_count() or 1
    return _devices()[1]


def plan(
    recipe: Recipe, source: Source, source_path: str, limit: int | None = None, ready: ReadyOverlays | None = None
) -> Plan:
    """Lay out a run.

    Args:
        recipe: what to make.
        source: the opened source.
        source_path: where it was opened.
        limit: at most so many clean images, evenly spread over the source (so that every class keeps its share).
        ready: overlays that are taken instead of being made.

    Raises:
        ConfigError: a limit below 1, or something that overlays are made with is missing (a model).
        SourceError: the source is empty.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"--limit needs 1 image or more, found {limit}")
    if not len(source):
        raise SourceError(f"the source {recipe.source.name} at {source_path or 'its default'} has no images")
    conditions = len(recipe.conditions())
    made_by = recipe.provenance() if ready is None else ready.made_by
    indices = _spread(len(source), limit)
    return Plan(
        recipe=recipe,
        source_path=source_path,
        source_fingerprint=source.fingerprint,
        indices=indices,
        conditions=conditions,
        images_per_shard=_images_per_shard(recipe, conditions, len(indices), stored_overlays=bool(made_by)),
        dataset_fingerprint=fingerprint(
            [recipe.pixels_fingerprint(made_by), recipe.storage.model_dump(), source.fingerprint, limit]
        ),
        made_by=made_by,
        ready=ready,
    )


def estimate(planned: Plan, images: int | None = None) -> Estimate:
    """Make one small shard in a temporary folder and project its time and size.

    Args:
        planned: the run.
        images: project to so many clean images instead of the plan's own.

    Raises:
        ConfigError: ``images`` below 1.
        SourceError: none of the sampled images could be used.
    """
    if images is not None and images < 1:
        raise ConfigError(f"--assume-images needs 1 image or more, found {images}")
    works_on_gpu = uses_gpu(planned.recipe)
    sample = _pick(planned.indices, _gpu_sample(planned.recipe) if works_on_gpu else _SAMPLE_IMAGES)
    with TemporaryDirectory(prefix="occbench-dry-run-") as folder:
        first, *_ = replace(planned, indices=sample, images_per_shard=1).shards(Path(folder))
        whole, *_ = replace(planned, indices=sample, images_per_shard=len(sample)).shards(Path(folder))
        # the first image pays for drawing shared overlays or loading a model, which a long run does once per worker
        make_shard(first)
        start = time.perf_counter()
        report = make_shard(whole)
        elapsed_s = time.perf_counter() - start
    if not report.images:
        reasons = "; ".join(f"{item.key}: {item.reason}" for item in report.quarantined[:3])
        raise SourceError(f"none of {len(sample)} sampled images can be used: {reasons}")
    total = len(planned.indices) if images is None else images
    written = sum(file.bytes for file in report.files)
    device, devices = _devices() if works_on_gpu else ("", 0)
    return Estimate(
        images=total,
        rows=total * planned.conditions,
        shards=-(-total // planned.images_per_shard),
        total_bytes=round(written / report.images * total),
        core_s=elapsed_s / len(sample) * total,
        sampled_images=len(sample),
        device=device,
        devices=devices,
    )


def _images_per_shard(recipe: Recipe, conditions: int, images: int, *, stored_overlays: bool) -> int:
    """Return how many clean images a shard holds: what was asked, within what the Hub takes."""
    asked = max(1, recipe.storage.rows_per_shard // conditions)
    if stored_overlays:
        asked = min(asked, _STORED_IMAGES_PER_SHARD)
    rows = conditions if recipe.storage.materialised else 1
    asked = max(1, min(asked, _LARGEST_FILE_BYTES // (image_bytes(recipe) * rows)))
    return max(asked, -(-images // _MOST_SHARDS))


def uses_gpu(recipe: Recipe) -> bool:
    """Whether a network makes overlays of a recipe, for which one worker a GPU is enough."""
    return any(family.uses_gpu for family in recipe.build_occlusions())


def _gpu_sample(recipe: Recipe) -> int:
    """Return how many images to measure where a network works: one full batch, which is seconds on a GPU.

    Without a GPU one image takes minutes, and as long in a batch as alone.
    """
    if not _gpu_at_hand():
        return 1
    return max(family.batch_size for family in recipe.build_occlusions() if family.uses_gpu)


def _gpu_at_hand() -> bool:
    import torch  # here, because most recipes need none

    return torch.cuda.is_available()


def _devices() -> tuple[str, int]:
    """Return what a network works on here, and how many of it there are."""
    if _gpu_at_hand():
        import torch

        return torch.cuda.get_device_name(), torch.cuda.device_count()
    return "the processor, for want of a GPU", 1


def _spread(count: int, limit: int | None) -> tuple[int, ...]:
    if limit is None or limit >= count:
        return tuple(range(count))
    starts = [number * count // limit for number in range(limit + 1)]
    # one image of each stretch, at a place that moves by the golden ratio: a fixed step would meet only some classes
    # of a source that interleaves them
    steps = (number * _GOLDEN % 2**32 for number in range(limit))
    return tuple(
        start + ((end - start) * step >> 32) for start, end, step in zip(starts, starts[1:], steps, strict=False)
    )


def _pick(indices: Sequence[int], count: int) -> tuple[int, ...]:
    return tuple(indices[number] for number in _spread(len(indices), count))
