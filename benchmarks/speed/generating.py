"""Whole shards as `occbench generate` writes them, beside the scripts that people write instead (``scripts.py``).

Every way gets the same files and makes the same variants. Ours writes finished shards with hashes, and the lossless
clean image in each but WebDataset's; the scripts write bare files. Not counted, for any way: importing, and preparing
the patterns, which a run does once. Before anything is timed, the variants of one photograph are compared.
"""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from PIL import Image

from occbench.core.compose import Workspace, composite
from occbench.core.types import Example
from occbench.data.encode import encode_jpeg
from occbench.data.encode_rows import RowEncoder, encoding_of
from occbench.data.recipe import Recipe
from occbench.data.render import Renderer
from occbench.generate.make_shard import make_shard
from occbench.generate.plan import plan
from occbench.generate.run import generate

from . import scripts
from .photographs import copy_photos, emptied, prepared, recipe
from .settings import Settings
from .turns import Row, compare, processor_clock, take_turns

Way = Callable[[], None]

SIDE: Final = 224
#: How ours is stored -> keys of the recipe's storage.
FORMATS: Final[dict[str, dict[str, Any]]] = {
    "virtual": {},
    "Parquet, PNG": {"layout": "materialised"},
    "Parquet, spliced JPEG": {"layout": "materialised", "occluded": "jpeg"},
    "WebDataset, PNG": {"layout": "materialised", "format": "webdataset"},
    "WebDataset, spliced JPEG": {"layout": "materialised", "format": "webdataset", "occluded": "jpeg"},
}
#: Ours -> the scripts it stands beside: the same quality of image.
_BESIDE: Final = {
    "virtual": ("png decoded once",),
    "Parquet, PNG": ("png decoded once", "png naive"),
    "Parquet, spliced JPEG": ("jpg decoded once", "jpg naive"),
    "WebDataset, PNG": ("png decoded once",),
    "WebDataset, spliced JPEG": ("jpg decoded once",),
}
_SPLICED, _FULL = "spliced JPEGs, nothing written", "full JPEGs, nothing written"


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this measurement."""
    count = settings.images or settings.many(24, least=2)
    with TemporaryDirectory() as folder:
        bench = _Bench(Path(folder), settings, count)
        bench.check()
        versions: dict[str, str] = {}
        seconds = _in_rounds(bench, settings, versions)
    beside = {ours: list(others) for ours, others in _BESIDE.items()}
    if settings.albumentations:
        for kind, ours in (("jpg", "Parquet, spliced JPEG"), ("png", "Parquet, PNG")):
            beside[ours] += [f"{kind} {script}, albumentations" for script in ("decoded once", "naive")]
    rows = count * len(bench.patterns)
    for ours, others in (*beside.items(), (_SPLICED, (_FULL,))):
        for other in others:
            yield compare(
                f"{ours} / {other}", seconds, (ours, other), rows, processor_clock,
                images=count, variants_per_image=len(bench.patterns), bank=settings.bank, **versions,
            )  # fmt: skip


def _in_rounds(bench: "_Bench", settings: Settings, versions: dict[str, str]) -> dict[str, list[float]]:
    """Take turns, a round at a time: albumentations, which has an environment of its own, takes its turn, too."""
    ways = bench.ways()
    seconds: dict[str, list[float]] = {}
    for turn in range(-1, settings.turns):
        found = take_turns(ways, 1, processor_clock, warm_up=False, first=turn)
        if settings.albumentations:
            found |= bench.albumentations(settings.albumentations, versions)
        for name, taken in found.items():
            seconds.setdefault(name, []).extend(taken if turn >= 0 else ())
    return seconds


class _Bench:
    """The photographs, the patterns and the ways to put these on those."""

    def __init__(self, folder: Path, settings: Settings, count: int) -> None:
        self.folder, self.bank = folder, settings.bank
        self.photos = copy_photos(settings.photos, count, folder / "photos")
        self.recipe = recipe(settings.bank, SIDE)
        self.renderer = Renderer(self.recipe.build_occlusions(), self.recipe.seed)
        canvas = Example("canvas", np.zeros((SIDE, SIDE, 3), np.uint8), (0,))
        self.patterns = []
        for condition in self.renderer.conditions:
            overlay = self.renderer.bare_overlay(canvas, condition)
            full, patch = self.renderer.full_overlay(canvas, condition), Image.fromarray(overlay.rgba)
            self.patterns.append(scripts.Pattern(Image.fromarray(full), patch, (overlay.x0, overlay.y0)))

    def check(self) -> None:
        """Make one image's variants both ways: Pillow blends with another rounding, 1 level off at most."""
        from occbench.data.datasets import StoredDataset

        (self.folder / "one").mkdir()
        scripts.decode_once(self.photos[:1], self.patterns, SIDE, ".png", self.folder / "one")
        stored = recipe(self.bank, SIDE, **FORMATS["Parquet, PNG"])
        generate(stored, self.folder / "ours", source_path=str(self.folder / "photos"), limit=1)
        dataset = StoredDataset(self.folder / "ours")
        for row, pattern in enumerate(self.patterns):
            with Image.open(self.folder / "one" / f"{self.photos[0].stem}-{row}.png") as picture:
                off = np.abs(np.asarray(picture).astype(int) - dataset.sample(row).image).max()
            if off > 1:
                raise SystemExit(f"pattern {row} at {pattern.corner} differs by {off} levels: nothing to compare.")

    def ways(self) -> dict[str, Way]:
        found: dict[str, Way] = {}
        for kind in ("jpg", "png"):
            found |= {
                f"{kind} naive": self._script(scripts.naive, f".{kind}"),
                f"{kind} decoded once": self._script(scripts.decode_once, f".{kind}"),
            }
        found |= {name: self._shards(recipe(self.bank, SIDE, **storage)) for name, storage in FORMATS.items()}
        return found | {_FULL: self._full_jpegs, _SPLICED: self._spliced_jpegs()}

    def albumentations(self, python: str, versions: dict[str, str]) -> Mapping[str, list[float]]:
        """Run ``overlay_elements.py`` and return its times under the names of its ways."""
        placed = []
        for number, pattern in enumerate(self.patterns):
            file = self.folder / f"pattern-{number}.png"
            pattern.patch.save(file)
            placed.append([str(file), *pattern.corner])
        found = {}
        for kind in ("jpg", "png"):
            with emptied(self.folder / "albumentations") as out:
                work = {"photos": list(map(str, self.photos)), "patterns": placed, "side": SIDE}
                (self.folder / "work.json").write_text(json.dumps(work | {"suffix": f".{kind}", "out": str(out)}))
                command = [python, str(Path(__file__).with_name("overlay_elements.py")), str(self.folder / "work.json")]
                answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            versions |= {f"{name}_beside": text for name, text in answer["versions"].items()}
            found[f"{kind} naive, albumentations"] = [answer["naive_s"]]
            found[f"{kind} decoded once, albumentations"] = [answer["decode_once_s"]]
        return found

    def _script(self, script: Callable[..., None], suffix: str) -> Way:
        def run() -> None:
            with emptied(self.folder / "script") as out:
                script(self.photos, self.patterns, SIDE, suffix, out)

        return run

    def _shards(self, what: Recipe) -> Way:
        path = str(self.folder / "photos")
        planned = plan(what, what.open_source(path), path)

        def run() -> None:
            with emptied(self.folder / "shards") as out:
                for shard in planned.shards(out):
                    make_shard(shard)

        return run

    def _full_jpegs(self) -> None:
        workspace, out = Workspace(), np.empty((SIDE, SIDE, 3), np.uint8)
        for example in prepared(self.recipe, self.folder / "photos"):
            for condition in self.renderer.conditions:
                overlay = self.renderer.overlay(example, condition)
                encode_jpeg(composite(example.image, overlay, out, workspace), 95)

    def _spliced_jpegs(self) -> Way:
        storage = recipe(self.bank, SIDE, **FORMATS["Parquet, spliced JPEG"]).storage
        encoder = RowEncoder(self.renderer, encoding_of(storage))

        def run() -> None:
            for example in prepared(self.recipe, self.folder / "photos"):
                for _ in encoder.encode(example):
                    pass

        return run
