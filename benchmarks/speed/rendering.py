"""Putting patterns on photographs that are in memory: ours beside the blend that people write.

numpy: ``Renderer.render``, an image at a time into memory that is there. torch: ``composite_batch``, a batch at a time
on the device. Beside them: the same in floating point over the whole image, and Pillow's ``alpha_composite``. Before
anything is timed, images are compared: each way may be 1 level off, because it rounds its own way.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from occbench.core.compose import composite_batch
from occbench.core.types import Example
from occbench.data.render import Renderer

from .photographs import copy_photos, prepared, recipe
from .settings import Settings
from .turns import Row, compare, network_clock, processor_clock, take_turns

Pixels = NDArray[np.uint8]


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this measurement."""
    what = recipe()
    with TemporaryDirectory() as folder:
        copy_photos(settings.photos, settings.many(16, least=2), Path(folder) / "photos")
        examples = list(prepared(what, Path(folder) / "photos"))
    renderer = Renderer(what.build_occlusions(), what.seed)
    canvases = [renderer.full_overlay(examples[0], condition) for condition in renderer.conditions]
    yield from _numpy(examples, renderer, canvases, settings)
    images = np.stack([example.image for example in examples])
    yield from _torch(images, canvases, settings)


def _numpy(
    examples: Sequence[Example], renderer: Renderer, canvases: Sequence[Pixels], settings: Settings
) -> Iterator[Row]:
    out = np.empty_like(examples[0].image)
    pictures = [Image.fromarray(canvas) for canvas in canvases]
    opened = [Image.fromarray(example.image).convert("RGBA") for example in examples]
    for condition, canvas in zip(renderer.conditions, canvases, strict=True):
        _agree(renderer.render(examples[0], condition)[0], blended(examples[0].image, canvas), condition.name)
    cells = list(product(examples, renderer.conditions))
    images = [example.image for example in examples]
    ways = {
        "numpy: ours": lambda: _run(partial(renderer.render, out=out), cells),
        "floating point": lambda: _run(blended, product(images, canvases)),
        "Pillow alpha_composite": lambda: _run(_pasted, product(opened, pictures)),
    }
    seconds = take_turns(ways, settings.turns, processor_clock)
    for other in ("floating point", "Pillow alpha_composite"):
        yield compare(f"numpy / {other}", seconds, ("numpy: ours", other), len(cells), processor_clock)


def _torch(images: Pixels, canvases: list[Pixels], settings: Settings) -> Iterator[Row]:
    device = settings.device
    batch = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(device)
    bank = torch.from_numpy(np.stack(canvases)).permute(0, 3, 1, 2).contiguous().to(device)
    ours = composite_batch(batch, bank[:1]).cpu().permute(0, 2, 3, 1).numpy()
    _agree(ours, blended_batch(batch, bank[:1]).cpu().permute(0, 2, 3, 1).numpy(), "the first pattern")
    clock = network_clock()
    ways = {
        "torch: ours": lambda: _run(composite_batch, product([batch], bank.split(1))),
        "floating point": lambda: _run(blended_batch, product([batch], bank.split(1))),
    }
    seconds = take_turns(ways, settings.turns, clock)
    count = len(images) * len(canvases)
    yield compare("torch / floating point", seconds, ("torch: ours", "floating point"), count, clock)


def _run(way: Callable[..., object], cells: Iterable[tuple[Any, ...]]) -> None:
    """Do all the work and keep nothing of it."""
    for cell in cells:
        way(*cell)


def _pasted(picture: Image.Image, canvas: Image.Image) -> Pixels:
    return np.asarray(Image.alpha_composite(picture, canvas).convert("RGB"))


def blended(image: Pixels, canvas: Pixels) -> Pixels:
    """Blend as a script does it: shares of 1, the whole image."""
    alpha = canvas[..., 3:] / 255
    return np.rint(alpha * canvas[..., :3] + (1 - alpha) * image).astype(np.uint8)


def blended_batch(images: Tensor, canvas: Tensor) -> Tensor:
    """Blend a batch as a script does it."""
    alpha = canvas[:, 3:].float() / 255
    return (alpha * canvas[:, :3] + (1 - alpha) * images).round().to(torch.uint8)


def _agree(ours: Pixels, other: Pixels, name: str) -> None:
    if (off := int(np.abs(ours.astype(int) - other).max())) > 1:
        raise SystemExit(f"{name} differs by {off} levels: the numbers would mean nothing.")
