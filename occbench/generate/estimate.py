"""How large a dataset will be and how long it takes, measured on a few of its images; and how many workers suit it."""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from occbench.core.errors import ConfigError, SourceError
from occbench.data.recipe import Recipe
from occbench.generate.make_shard import make_shard
from occbench.generate.plan import Plan, spread

__all__ = ["Estimate", "default_workers", "estimate", "uses_gpu"]

#: Images rendered to measure a dry run: enough to average over image content, a second or two of work.
_SAMPLE_IMAGES = 12


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
    wanted = _gpu_sample(planned.recipe) if works_on_gpu else _SAMPLE_IMAGES
    sample = tuple(planned.indices[number] for number in spread(len(planned.indices), wanted))
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
