"""Time the image encoders side by side on real photographs.

    OMP_NUM_THREADS=1 python benchmarks/speed/encode.py --photos FOLDER [--out FILE.json]

Every way gets the same clean images, already decoded and resized. A time is microseconds of processor time per image:
the mean over all images and conditions of a pass, of the fastest of several passes, the ways taking turns. Overlays
that images share (patterns) are prepared before; those drawn per image (patch drop) within the time, where not said
otherwise. Before anything is timed, every spliced file is compared with the full encode, byte for byte.
"""

import argparse
import io
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from machine import machine
from numpy.typing import NDArray
from PIL import Image

from occbench.core.compose import PreparedOverlay, Workspace, composite, prepare_overlay
from occbench.core.seeding import stream
from occbench.core.types import Example, Overlay
from occbench.data.encode import encode_jpeg, encode_png, encode_png_fast
from occbench.data.splice import SplicedEncoder, prepare_splice
from occbench.data.stored_png import encode_png_stored
from occbench.occlusions.patch_drop import PatchDrop
from occbench.occlusions.patterns import Patterns

Pixels = NDArray[np.uint8]
#: One pass of a way: encodes everything, one file after the other, none of them kept.
Pass = Callable[[], Iterator[bytes]]


def main() -> None:
    options = _options()
    cv2.setNumThreads(1)
    examples = _photographs(options.photos, options.images, options.size)
    ways = _ways(examples, options.overlays, options.quality)
    for spliced, full in _SAME_BYTES.items():
        if any(one != other for one, other in zip(ways[spliced](), ways[full](), strict=True)):
            raise SystemExit(f"'{spliced}' and '{full}' differ: the numbers would mean nothing.")
    seconds = dict.fromkeys(ways, math.inf)
    sizes: dict[str, float] = {}
    for _ in range(options.passes):
        for name, encode_all in ways.items():
            files, size = 0, 0
            start = time.process_time()
            for file in encode_all():
                files += 1
                size += len(file)
            seconds[name] = min(seconds[name], (time.process_time() - start) / files)
            sizes[name] = size / files
    result = machine() | {
        "size_px": options.size,
        "quality": options.quality,
        "overlays": options.overlays,
        "images": len(examples),
        "passes": options.passes,
        "us_per_image": {name: round(value * 1e6, 1) for name, value in seconds.items()},
        "bytes_per_image": {name: round(value) for name, value in sizes.items()},
    }
    _print_table(result)
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEG or PNG files, searched to any depth")
    parser.add_argument("--images", type=int, default=16, help="how many of them, evenly spread")
    parser.add_argument("--size", type=int, default=224, help="side in pixels")
    parser.add_argument("--quality", type=int, default=95)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument(
        "--overlays",
        choices=("patterns", "discs"),
        default="patterns",
        help="the 24 patterns of the bank occbench-3, or 24 soft discs of the same ratios drawn here",
    )
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


def _photographs(folder: Path, count: int, side: int) -> list[Example]:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if not files:
        raise SystemExit(f"{folder} has no JPEG or PNG file; give a folder of photographs.")
    examples = []
    for number, file in enumerate(files[:: max(1, len(files) // count)][:count]):
        with Image.open(file) as picture:
            pixels = np.asarray(picture.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))
        examples.append(Example(key=f"photo-{number}", image=pixels, labels=(0,)))
    return examples


#: Ways that must give the same bytes.
_SAME_BYTES = {
    "JPEG spliced, patterns": "JPEG full, patterns",
    "JPEG spliced, patch drop 50 %": "JPEG full, patch drop 50 %",
    "JPEG spliced, patch drop 50 %, prepared before": "JPEG full, patch drop 50 %",
}


def _ways(examples: Sequence[Example], overlays: str, quality: int) -> dict[str, Pass]:
    height, width = examples[0].image.shape[:2]
    images = [example.image for example in examples]
    shared = _patterns(examples[0]) if overlays == "patterns" else _discs(height, width)
    patch_drop = PatchDrop(losses=(0.5,))
    drops = [patch_drop.overlay(example, patch_drop.conditions[0], 0) for example in examples]

    workspace, out = Workspace(), np.empty_like(images[0])
    prepared = [prepare_overlay(overlay) for overlay in shared]
    splices = [prepare_splice(overlay, height, width, quality) for overlay in shared]
    drop_splices = [prepare_splice(overlay, height, width, quality) for overlay in drops]
    encoders = [SplicedEncoder(image, quality, workspace) for image in images]

    def spliced_from_scratch() -> Iterator[bytes]:
        for image in images:
            encoder = SplicedEncoder(image, quality, workspace)
            yield from map(encoder.encode, splices)

    def full(image: Pixels, overlay: Overlay | PreparedOverlay) -> bytes:
        return encode_jpeg(composite(image, overlay, out, workspace), quality)

    def spliced(encoder: SplicedEncoder, overlay: Overlay) -> bytes:
        return encoder.encode(prepare_splice(overlay, height, width, quality))

    return {
        "JPEG full, patterns": lambda: (full(image, overlay) for image in images for overlay in prepared),
        "JPEG spliced, patterns": spliced_from_scratch,
        "JPEG full, patch drop 50 %": lambda: map(full, images, drops),
        "JPEG spliced, patch drop 50 %": lambda: map(spliced, encoders, drops),
        "JPEG spliced, patch drop 50 %, prepared before": lambda: map(SplicedEncoder.encode, encoders, drop_splices),
        "PNG stored": lambda: map(encode_png_stored, images),
        "PNG fast, as clean images": lambda: map(encode_png_fast, images),
        "PNG level 1 (cv2)": lambda: (encode_png(image, 1) for image in images),
        "PNG level 6 (cv2)": lambda: (encode_png(image, 6) for image in images),
        "PNG (Pillow)": lambda: (_saved(image, "PNG") for image in images),
        "JPEG 4:4:4 (Pillow)": lambda: (_saved(i, "JPEG", quality=quality, subsampling="4:4:4") for i in images),
    }


def _patterns(example: Example) -> list[Overlay]:
    patterns = Patterns(bank="occbench-3")
    return [patterns.overlay(example, condition, 0) for condition in patterns.conditions]


def _discs(height: int, width: int) -> list[Overlay]:
    """Return 24 grainy discs with an edge 4 px soft: ratios of 10 and 20 % by turns."""
    overlays = []
    for number in range(24):
        draw = stream(0, "encode benchmark", number, "disc")
        radius = math.sqrt((0.1, 0.2)[number % 2] * height * width / math.pi)
        side = math.ceil(2 * radius) + 5
        distance = np.hypot(*(np.mgrid[:side, :side] - (side - 1) / 2))
        alpha = np.clip((radius - distance) / 4 * 255 + 127, 0, 255)
        # a base colour and a grain of 5 bits: about as many bytes as a photographed surface
        rgba = draw.integers(224, 4) + draw.integers(32, side * side * 4).reshape(side, side, 4)
        rgba[..., 3] = alpha
        y0, x0 = draw.integer(0, height - side + 1), draw.integer(0, width - side + 1)
        achieved = float(rgba[..., 3].sum()) / 255 / (height * width)
        overlays.append(Overlay(rgba.astype(np.uint8), x0, y0, achieved))
    return overlays


def _saved(image: Pixels, kind: str, **options: Any) -> bytes:  # noqa: ANN401 - handed on to Pillow
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def _print_table(result: dict[str, Any]) -> None:
    print(f"{result['date']}  {result['machine']}  Python {result['python']}")
    print(f"{result['encoder']}; " + ", ".join(f"{name} {version}" for name, version in result["versions"].items()))
    print(
        f"{result['images']} photographs at {result['size_px']} px, quality {result['quality']}, {result['overlays']}\n"
    )
    print(f"{'way':<50}{'us / image':>12}{'bytes':>10}{'speed':>14}")
    reference = result["us_per_image"]["JPEG full, patterns"]
    for name, microseconds in result["us_per_image"].items():
        size = result["bytes_per_image"][name]
        print(f"{name:<50}{microseconds:>12.1f}{size:>10}{reference / microseconds:>13.2f}x")


if __name__ == "__main__":
    main()
