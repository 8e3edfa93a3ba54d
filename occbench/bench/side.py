"""Vectors of a frozen network beside the classifier (diffusion features): computed once for images that come again."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import torch
from torch import Tensor

from occbench.bench.pipeline import ActivationCache
from occbench.core.interfaces import Batch, Extractor
from occbench.data.config import build_plugin

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
        return _rounded(extractor, pixels, [""] * len(pixels)).to(pixels.device)
    keys = [("side", name, _canonical(options), image) for image in batch.names]
    missing = [row for row, key in enumerate(keys) if cache.find(key) is None]
    made: dict[int, Tensor] = {}
    if missing:
        pixels = batch.pixels()
        found = _rounded(extractor, pixels[missing], [batch.names[row] for row in missing])
        for row, vector in zip(missing, found.to(_KEPT).cpu(), strict=True):
            made[row] = cache.recall(keys[row], vector.clone)
    kept = [made[row] if row in made else cache.recall(key, Tensor) for row, key in enumerate(keys)]
    return torch.stack(kept).float()


def _rounded(extractor: Extractor, pixels: Tensor, names: list[str]) -> Tensor:
    return extractor.vectors(pixels, names).to(_KEPT).float()


def _canonical(options: Mapping[str, Any]) -> str:
    return json.dumps(dict(options), sort_keys=True)


@lru_cache(maxsize=2)
def _extractor(name: str, options: str) -> Extractor:
    return build_plugin(name, "extractors", Extractor, json.loads(options))
