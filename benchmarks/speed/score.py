"""Time scoring against the bare forward pass of the same model, and against a data-loader scorer, in one run.

    python benchmarks/speed/score.py --photos FOLDER [--model torchvision/resnet18] [--images 64] [--out FILE.json]

Images per second, by wall clock. All ways classify the same photographs under the same patterns with the same weights,
batch and precision, and take turns pattern by pattern, so that what other programs do meets all of them alike.

`bare forward`: the network on batches that are normalised and resident already; nothing is rendered or written.
`score`: `occbench.bench.scoring.score`, from resident uint8 images to the block on disk.
`data loader`: what people write instead; every item is opened, decoded, resized and pasted with Pillow.
Weights are random where no file is given: they do not change the time.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from generate import copy_photos, recipe
from machine import load, machine
from PIL import Image
from pyarrow.parquet import read_table
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.ready.ready_images import load_test_set
from occbench.bench.scoring.classify import logits_of
from occbench.bench.scoring.predictions import block_file
from occbench.bench.scoring.score import score
from occbench.core.types import Condition
from occbench.data.manifest import read_manifest
from occbench.generate.run import generate
from occbench.models.load import load_backbone


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    result = machine()
    with TemporaryDirectory() as name:
        bench = _Bench(Path(name), options)
        agreement = bench.agreement()
        seconds = bench.measure(options.passes)
    images = options.images
    bare = seconds["bare forward"]
    ratios = [one / other for one, other in zip(bare, seconds["score"], strict=True)]
    result["versions"] |= {name: metadata.version(name) for name in ("torch", "torchvision", "timm")}
    result |= {
        "load_at_end": load(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "model": options.model,
        "precision": options.precision,
        "batch_size": options.batch_size,
        "threads": options.threads,
        "loader_workers": options.workers,
        "images": images,
        "conditions": options.conditions,
        "passes": options.passes,
        "images_per_s": {way: round(images / statistics.median(times), 2) for way, times in seconds.items()},
        "score_share_of_bare_forward": {
            "of_all_time": round(sum(bare) / sum(seconds["score"]), 4),
            "median_of_turns": round(statistics.median(ratios), 4),
            "least": round(min(ratios), 4),
            "greatest": round(max(ratios), 4),
        },
        "score_times_data_loader": round(
            statistics.median(seconds["data loader"]) / statistics.median(seconds["score"]), 3
        ),
        "answers_equal_to_data_loader": agreement,
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


class _Bench:
    """The three ways, on one model and one set of photographs."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        if options.images % options.batch_size:
            raise SystemExit(f"--images {options.images} must be whole batches of {options.batch_size}.")
        self.folder = folder
        self.batch_size = options.batch_size
        self.workers = options.workers
        self.photos = copy_photos(options.photos, options.images, folder / "photos")
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = load_backbone(options.model, 1000, weights=options.weights)
        model.to(device).to(memory_format=torch.channels_last).eval()
        self.pipeline = Pipeline(model, device, options.precision)
        generate(recipe(options.bank, model.size_px), folder / "dataset", source_path=str(folder / "photos"))
        self.test = load_test_set(folder / "dataset", read_manifest(folder / "dataset"), "speed")
        if len(self.test.images) != options.images:
            raise SystemExit(f"{options.images - len(self.test.images)} of the photographs cannot be read.")
        occluded = self.test.conditions[1:]
        self.conditions = [
            occluded[number * len(occluded) // options.conditions] for number in range(options.conditions)
        ]
        self.normal = [self._normalised(batch) for batch in torch.split(self.test.images.images[:], self.batch_size)]

    def measure(self, passes: int) -> dict[str, list[float]]:
        """Return seconds for all photographs under one condition, for each way: one entry a turn."""
        ways: dict[str, Callable[[Condition], object]] = {
            "bare forward": self.bare,
            "score": self.score,
            "data loader": self.data_loader,
        }
        for way in ways.values():
            way(self.conditions[0])
        names = list(ways)
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for turn, condition in enumerate(self.conditions * passes):
            for place in range(len(names)):
                name = names[(turn + place) % len(names)]  # every way comes first, second and last equally often
                start = time.perf_counter()
                ways[name](condition)
                seconds[name].append(time.perf_counter() - start)
        return seconds

    def agreement(self) -> float:
        """Return the share of the data loader's answers that are the answers of ``score``.

        Not all: Pillow rounds alpha compositing its own way, by one grey level.
        """
        by_loader = self.data_loader(self.conditions[0])
        self.score(self.conditions[0])
        block = read_table(block_file(self.folder / "scores", self.conditions[0]), columns=["top1"])
        return round(float((by_loader.numpy() == block["top1"].to_numpy()).mean()), 4)

    @torch.inference_mode()
    def bare(self, _: Condition) -> Tensor:
        """Classify batches that are ready."""
        with self.pipeline.autocast():
            return torch.cat([self.pipeline.model(batch).argmax(1) for batch in self.normal]).cpu()

    def score(self, condition: Condition) -> None:
        """Score one condition into a block."""
        block_file(self.folder / "scores", condition).unlink(missing_ok=True)
        score(
            lambda inputs, _: logits_of(self.pipeline, inputs),
            self.pipeline,
            replace(self.test, conditions=(condition,)),
            self.folder / "scores",
            cache=ActivationCache(0),
            batch_size=self.batch_size,
        )

    @torch.inference_mode()
    def data_loader(self, condition: Condition) -> Tensor:
        """Classify what a data loader makes from the files."""
        items = _PillowItems(self.photos, self._canvas(condition))
        found = []
        for pixels in DataLoader(items, self.batch_size, num_workers=self.workers):
            with self.pipeline.autocast():
                found.append(self.pipeline.model(self._normalised(pixels)).argmax(1))
        return torch.cat(found).cpu()

    def _normalised(self, pixels: Tensor) -> Tensor:
        on_device = pixels.to(self.pipeline.device)
        return self.pipeline.model.normalise(on_device).contiguous(memory_format=torch.channels_last)

    def _canvas(self, condition: Condition) -> Image.Image:
        return Image.fromarray(self.test.renderer.full_overlay(self.test.images.examples[0], condition))


class _PillowItems(Dataset[Tensor]):
    """One photograph a time, from the file to the occluded image: uint8[3, S, S]."""

    def __init__(self, photos: Sequence[Path], canvas: Image.Image) -> None:
        self._photos = photos
        self._canvas = canvas

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, index: int) -> Tensor:
        image = Image.open(self._photos[index]).convert("RGB").resize(self._canvas.size, Image.Resampling.BILINEAR)
        image.paste(self._canvas, (0, 0), self._canvas)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEG or PNG files, searched to any depth")
    parser.add_argument("--model", default="torchvision/resnet18")
    parser.add_argument("--weights", type=Path, help="a checkpoint; random weights take as long")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--bank", default="occbench-30")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--conditions", type=int, default=12, help="patterns, evenly spread over the bank's")
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the network, on a CPU")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes of the data loader")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
