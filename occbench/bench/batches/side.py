"""Vectors of a frozen network beside the classifier (diffusion features): computed once for images that come again."""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import torch
from torch import Tensor

from occbench.bench.batches.pipeline import ActivationCache
from occbench.core.build import build_plugin
from occbench.core.networks import Extractor
from occbench.core.training import Batch

__all__ = ["side_dim", "side_vectors"]

#: What vectors are kept in, and rounded to where they are not kept, so that both are the same.
_KEPT: Final = torch.float16


def side_dim(name: str, options: Mapping[str, Any]) -> int:
    """Return the length of an extractor's vectors.

    Raises:
        PluginError: no such extractor.
        ConfigError: a wrong option, or its network cannot be loaded.
    """
    return _extractor(name, _canonical(options)).dim


@torch.no_grad()
def side_vectors(name: str, options: Mapping[str, Any], batch: Batch, cache: ActivationCache) -> Tensor:
    """Return float32[B, E], rounded to half precision, of a batch's pixels.

    Args:
        name: of the extractor.
        options: its options.
        batch: the images; those with a name are kept.
        cache: where.
    """
    extractor = _extractor(name, _canonical(options))
    if batch.names is None:
        pixels = batch.pixels()
        return _rounded(extractor, pixels, _content_names(pixels)).to(pixels.device).float()
    keys = {image: ("side", name, _canonical(options), image) for image in batch.names}
    known = {image: cache.find(key) for image, key in keys.items()}
    # the row of each new image; one that stands in the batch several times is computed once
    missing = {image: row for row, image in enumerate(batch.names) if known[image] is None}
    if missing:
        pixels = batch.pixels()[list(missing.values())]
        found = _rounded(extractor, pixels, list(missing)).cpu()
        for image, vector in zip(missing, found, strict=True):
            known[image] = cache.recall(keys[image], vector.clone)
    return torch.stack([vector for image in batch.names if (vector := known[image]) is not None]).float()


def _rounded(extractor: Extractor, pixels: Tensor, names: list[str]) -> Tensor:
    """Return float16[B, E]; the extractor chooses its own precision, whatever the classifier is trained in."""
    with torch.autocast(pixels.device.type, enabled=False):
        return extractor.vectors(pixels, names).to(_KEPT)


def _content_names(pixels: Tensor) -> list[str]:
    """Return a name for each image by what it shows, so that what is drawn for them differs as it does for others."""
    levels = pixels.round().clamp(0, 255).to("cpu", torch.uint8).numpy()
    return [hashlib.sha256(image.tobytes()).hexdigest() for image in levels]


def _canonical(options: Mapping[str, Any]) -> str:
    return json.dumps(dict(options), sort_keys=True)


@lru_cache(maxsize=2)
def _extractor(name: str, options: str) -> Extractor:
    return build_plugin(name, "extractors", Extractor, json.loads(options))
