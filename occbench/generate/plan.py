"""What a run will make, before it makes it: which images, in which shards, known by which fingerprint."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError, SourceError
from occbench.core.interfaces import Source
from occbench.data.recipe import Recipe
from occbench.data.shards import image_bytes
from occbench.generate.shard import ReadyOverlays, Shard

__all__ = ["Plan", "plan", "spread"]

#: Clean images in a shard at most where overlays take seconds each: minutes of work, so that every GPU gets its share.
_STORED_IMAGES_PER_SHARD = 256
#: A folder holds fewer than 10,000 files on the Hugging Face Hub, and a file fewer than 20 GB: here of pixels that
#: nothing has compressed.
_MOST_SHARDS = 9_999
_LARGEST_FILE_BYTES = 18 * 10**9
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
    indices = spread(len(source), limit)
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


def _images_per_shard(recipe: Recipe, conditions: int, images: int, *, stored_overlays: bool) -> int:
    """Return how many clean images a shard holds: what was asked, within what the Hub takes."""
    asked = max(1, recipe.storage.rows_per_shard // conditions)
    if stored_overlays:
        asked = min(asked, _STORED_IMAGES_PER_SHARD)
    rows = conditions if recipe.storage.materialised else 1
    asked = max(1, min(asked, _LARGEST_FILE_BYTES // (image_bytes(recipe) * rows)))
    return max(asked, -(-images // _MOST_SHARDS))


def spread(count: int, limit: int | None) -> tuple[int, ...]:
    """Return at most ``limit`` numbers below ``count``, ascending and evenly spread; None takes all."""
    if limit is None or limit >= count:
        return tuple(range(count))
    starts = [number * count // limit for number in range(limit + 1)]
    # one image of each stretch, at a place that moves by the golden ratio: a fixed step would meet only some classes
    # of a source that interleaves them
    steps = (number * _GOLDEN % 2**32 for number in range(limit))
    return tuple(
        start + ((end - start) * step >> 32) for start, end, step in zip(starts, starts[1:], steps, strict=False)
    )
