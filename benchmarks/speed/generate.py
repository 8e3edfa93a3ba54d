"""Time `occbench generate` against the scripts that people write instead, on real photographs, in one run.

    OMP_NUM_THREADS=1 python benchmarks/speed/generate.py --photos FOLDER [--albumentations PYTHON] [--out FILE.json]

Every way gets the same files and makes the same variants. A time is processor time of one core, so it does not count
what other programs do meanwhile: microseconds per occluded image, the median of several passes in which the ways take
turns. Not counted, for any way: importing, and preparing the patterns, which a run does once.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import scripts
from machine import load, machine
from PIL import Image

from occbench.core.compose import Workspace, composite
from occbench.core.prepare import prepare
from occbench.core.types import Example
from occbench.data.encode import encode_jpeg
from occbench.data.encode_rows import RowEncoder, encoding_of
from occbench.data.recipe import Recipe
from occbench.data.render import Renderer
from occbench.generate.make_shard import make_shard
from occbench.generate.plan import plan
from occbench.generate.run import generate

Way = Callable[[], None]


def main() -> None:
    options = _options()
    cv2.setNumThreads(1)
    with TemporaryDirectory() as folder:
        bench = _Bench(Path(folder), options)
        bench.check()
        ways = bench.ways()
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        result = machine()
        for _ in range(options.passes):
            for name, run in ways.items():
                start = time.process_time()
                run()
                seconds[name].append(time.process_time() - start)
            if options.albumentations:
                bench.albumentations(options.albumentations, seconds, result["versions"])
    rows = options.images * len(bench.patterns)
    result |= {
        "load_at_end": load(),
        "images": options.images,
        "variants_per_image": len(bench.patterns),
        "bank": options.bank_name or options.bank,
        "size_px": options.size,
        "passes": options.passes,
        "us_per_variant": {name: _summary([value / rows * 1e6 for value in all_]) for name, all_ in seconds.items()},
    }
    result["ratios"] = _ratios(seconds)
    _print(result)
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEG or PNG files, searched to any depth")
    parser.add_argument("--images", type=int, default=40, help="how many of them, evenly spread")
    parser.add_argument("--bank", default="occbench-3", help="bank of the patterns: 8 variants per occluder")
    parser.add_argument("--bank-name", default="", help="what to call it in the results, where it is a folder")
    parser.add_argument("--size", type=int, default=224, help="side in pixels")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--albumentations", help="the Python of an environment that has albumentations")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


class _Bench:
    """The photographs, the patterns and the ways to put these on those."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.side = folder, options.size
        self.photos = copy_photos(options.photos, options.images, folder / "photos")
        self.recipe = recipe(options.bank, options.size)
        self.renderer = Renderer(self.recipe.build_occlusions(), self.recipe.seed)
        canvas = Example("canvas", np.zeros((self.side, self.side, 3), np.uint8), (0,))
        self.patterns = []
        for condition in self.renderer.conditions:
            overlay = self.renderer.bare_overlay(canvas, condition)
            full, patch = self.renderer.full_overlay(canvas, condition), Image.fromarray(overlay.rgba)
            self.patterns.append(scripts.Pattern(Image.fromarray(full), patch, (overlay.x0, overlay.y0)))

    def check(self) -> None:
        """Make one image's variants both ways: Pillow blends with another rounding, 1 level off at most."""
        from occbench.data.datasets import StoredDataset  # imports torch, which the workers of workers.py do not need

        (self.folder / "one").mkdir()
        scripts.decode_once(self.photos[:1], self.patterns, self.side, ".png", self.folder / "one")
        generate(self._recipe("png"), self.folder / "ours", source_path=str(self.folder / "photos"), limit=1)
        dataset = StoredDataset(self.folder / "ours")
        for row, pattern in enumerate(self.patterns):
            with Image.open(self.folder / "one" / f"{self.photos[0].stem}-{row}.png") as picture:
                off = np.abs(np.asarray(picture).astype(int) - dataset.sample(row).image).max()
            if off > 1:
                raise SystemExit(f"pattern {row} at {pattern.corner} differs by {off} levels: nothing to compare.")

    def ways(self) -> dict[str, Way]:
        found: dict[str, Way] = {}
        for kind, suffix in (("jpeg", ".jpg"), ("png", ".png")):
            found |= {
                f"{kind}: Pillow, naive": self._script(scripts.naive, suffix),
                f"{kind}: Pillow, decode once": self._script(scripts.decode_once, suffix),
                f"{kind}: occbench generate": self._shard(kind),
            }
        return found | {
            "encoding alone: decode once, full JPEG": self._full_jpegs,
            "encoding alone: decode once, spliced JPEG": self._spliced_jpegs(),
        }

    def albumentations(self, python: str, seconds: dict[str, list[float]], versions: dict[str, str]) -> None:
        """Run ``overlay_elements.py`` and file its times under the names of its two ways."""
        placed = []
        for number, pattern in enumerate(self.patterns):
            file = self.folder / f"pattern-{number}.png"
            pattern.patch.save(file)
            placed.append([str(file), *pattern.corner])
        for kind, suffix in (("jpeg", ".jpg"), ("png", ".png")):
            with _emptied(self.folder / "albumentations") as out:
                work = {"photos": list(map(str, self.photos)), "patterns": placed, "side": self.side}
                (self.folder / "work.json").write_text(json.dumps(work | {"suffix": suffix, "out": str(out)}))
                command = [python, str(Path(__file__).with_name("overlay_elements.py")), str(self.folder / "work.json")]
                answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            versions |= {f"{name} (beside albumentations)": text for name, text in answer["versions"].items()}
            seconds.setdefault(f"{kind}: albumentations, naive", []).append(answer["naive_s"])
            seconds.setdefault(f"{kind}: albumentations, decode once", []).append(answer["decode_once_s"])

    def _recipe(self, kind: str) -> Recipe:
        return self.recipe.model_copy(
            update={"storage": self.recipe.storage.model_copy(update={"layout": "materialised", "occluded": kind})}
        )

    def _script(self, script: Callable[..., None], suffix: str) -> Way:
        def run() -> None:
            with _emptied(self.folder / "script") as out:
                script(self.photos, self.patterns, self.side, suffix, out)

        return run

    def _shard(self, kind: str) -> Way:
        recipe = self._recipe(kind)
        path = str(self.folder / "photos")
        planned = plan(recipe, recipe.open_source(path), path)

        def run() -> None:
            with _emptied(self.folder / "shard") as out:
                for shard in planned.shards(out):
                    make_shard(shard)

        run()  # prepares the patterns
        return run

    def _examples(self) -> Iterator[Example]:
        source = self.recipe.open_source(str(self.folder / "photos"))
        for index in range(len(source)):
            yield prepare(source[index], self.recipe.prepare)

    def _full_jpegs(self) -> None:
        workspace, out = Workspace(), np.empty((self.side, self.side, 3), np.uint8)
        for example in self._examples():
            for condition in self.renderer.conditions:
                prepared = self.renderer.overlay(example, condition)
                encode_jpeg(composite(example.image, prepared, out, workspace), 95)

    def _spliced_jpegs(self) -> Way:
        encoder = RowEncoder(self.renderer, encoding_of(self._recipe("jpeg").storage))
        list(encoder.encode(next(self._examples())))  # prepares the patterns

        def run() -> None:
            for example in self._examples():
                for _ in encoder.encode(example):
                    pass

        return run


def recipe(bank: str, side: int) -> Recipe:
    """Return the recipe that is measured: the patterns of a bank on any folder of photographs."""
    return Recipe.model_validate(
        {
            "name": "speed",
            "source": {"name": "image_folder"},
            "prepare": {"rule": "direct", "size_px": side},
            "occlusions": [{"name": "patterns", "bank": bank}],
        }
    )


def copy_photos(folder: Path, count: int, to: Path) -> list[Path]:
    """Copy ``count`` photographs, evenly spread over ``folder``, into one class folder; return the copies."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if len(files) < count:
        raise SystemExit(f"{folder} has {len(files)} JPEG or PNG files, fewer than --images {count}.")
    (to / "photos").mkdir(parents=True)
    copies = []
    for number in range(count):
        file = files[number * len(files) // count]
        copies.append(Path(shutil.copy(file, to / "photos" / f"{number:05d}{file.suffix.lower()}")))
    return copies


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _summary(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 2),
        "least": round(min(values), 2),
        "greatest": round(max(values), 2),
    }


def _ratios(seconds: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Return how many times as fast ours is as each other way, by pass: the ways of one pass ran side by side."""
    ratios = {}
    for name, other in seconds.items():
        kind = name.partition(":")[0]
        ours = "encoding alone: decode once, spliced JPEG" if kind == "encoding alone" else f"{kind}: occbench generate"
        if name != ours:
            ratios[f"{name} / ours"] = _summary([a / b for a, b in zip(other, seconds[ours], strict=True)])
    return ratios


def _print(result: dict[str, Any]) -> None:
    print(f"{result['machine']}  load {result['load_at_start']} to {result['load_at_end']}  {result['versions']}")
    for name, value in result["us_per_variant"].items():
        print(f"{name:<50}{value['median']:>10.1f} us  ({value['least']} to {value['greatest']})")
    for name, value in result["ratios"].items():
        print(f"{name:<60}{value['median']:>8.2f}x  ({value['least']} to {value['greatest']})")


if __name__ == "__main__":
    main()
