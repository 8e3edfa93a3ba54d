"""The image encoders alone, on clean images that are decoded and resized already.

Overlays that images share (patterns) are prepared before the clock starts; those drawn per image (patch drop) within
the time. Before anything is timed, every spliced file is compared with the full encode, byte for byte.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occbench.core.compose import PreparedOverlay, Workspace, composite, prepare_overlay
from occbench.core.types import Example, Overlay
from occbench.data.encode import encode_jpeg, encode_png, encode_png_fast
from occbench.data.splice import SplicedEncoder, prepare_splice
from occbench.data.stored_png import encode_png_stored
from occbench.occlusions.patch_drop import PatchDrop
from occbench.occlusions.patterns import Patterns

from .photographs import copy_photos, prepared, recipe
from .settings import Settings
from .turns import Row, compare, processor_clock, take_turns

Pixels = NDArray[np.uint8]
#: One pass of a way: encodes everything, one file after the other, none of them kept.
Pass = Callable[[], Iterator[bytes]]

QUALITY: Final = 95
_SPLICED: Final = ("patterns", "patch drop 50 %")


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this measurement."""
    with TemporaryDirectory() as folder:
        copy_photos(settings.photos, settings.many(16, least=2), Path(folder) / "photos")
        examples = list(prepared(recipe(), Path(folder) / "photos"))
    passes = _passes(examples)
    for what in _SPLICED:
        spliced, full = passes[f"spliced JPEG, {what}"], passes[f"full JPEG, {what}"]
        if any(one != other for one, other in zip(spliced(), full(), strict=True)):
            raise SystemExit(f"spliced and full JPEGs of {what} differ: the numbers would mean nothing.")
    sizes = {name: [len(file) for file in encode()] for name, encode in passes.items()}
    ways = {name: lambda encode=encode: sum(1 for _ in encode()) for name, encode in passes.items()}
    seconds = take_turns(ways, settings.turns, processor_clock)
    pairs = [(f"spliced JPEG, {what}", f"full JPEG, {what}") for what in _SPLICED]
    pairs += [("stored PNG", "Pillow PNG"), ("fast PNG, as clean images", "Pillow PNG"), ("cv2 PNG 1", "Pillow PNG")]
    for pair in pairs:
        size = {name: round(sum(sizes[name]) / len(sizes[name])) for name in pair}
        count = len(sizes[pair[0]])
        yield compare(" / ".join(pair), seconds, pair, count, processor_clock, bytes_per_image=size)


def _passes(examples: Sequence[Example]) -> dict[str, Pass]:
    height, width = examples[0].image.shape[:2]
    images = [example.image for example in examples]
    patterns, patch_drop = Patterns(bank="occbench-3"), PatchDrop(losses=(0.5,))
    shared = [patterns.overlay(examples[0], condition, 0) for condition in patterns.conditions]
    drops = [patch_drop.overlay(example, patch_drop.conditions[0], 0) for example in examples]
    workspace, out = Workspace(), np.empty_like(images[0])
    ready = [prepare_overlay(overlay) for overlay in shared]
    splices = [prepare_splice(overlay, height, width, QUALITY) for overlay in shared]
    encoders = [SplicedEncoder(image, QUALITY, workspace) for image in images]

    def spliced_from_scratch() -> Iterator[bytes]:
        for image in images:
            encoder = SplicedEncoder(image, QUALITY, workspace)
            yield from map(encoder.encode, splices)

    def full(image: Pixels, overlay: Overlay | PreparedOverlay) -> bytes:
        return encode_jpeg(composite(image, overlay, out, workspace), QUALITY)

    def spliced(encoder: SplicedEncoder, overlay: Overlay) -> bytes:
        return encoder.encode(prepare_splice(overlay, height, width, QUALITY))

    return {
        "full JPEG, patterns": lambda: (full(image, overlay) for image in images for overlay in ready),
        "spliced JPEG, patterns": spliced_from_scratch,
        "full JPEG, patch drop 50 %": lambda: map(full, images, drops),
        "spliced JPEG, patch drop 50 %": lambda: map(spliced, encoders, drops),
        "stored PNG": lambda: map(encode_png_stored, images),
        "fast PNG, as clean images": lambda: map(encode_png_fast, images),
        "cv2 PNG 1": lambda: (encode_png(image, 1) for image in images),
        "Pillow PNG": lambda: (_saved(image, "PNG") for image in images),
    }


def _saved(image: Pixels, kind: str, **options: Any) -> bytes:  # noqa: ANN401 - handed on to Pillow
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()
