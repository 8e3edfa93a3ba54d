"""Scoring beside the bare forward pass of the same network on batches that are normalised and resident already.

All ways classify the same photographs under the same patterns with the same weights, batch and precision. `score`:
from uint8 images to the block on disk, of one label an image and of several. `ready model`: mixed cells of the matrix,
as ``--precision`` scores them, rendered and as stored rows. `data loader`: what people write instead, every item
opened, decoded, resized and pasted with Pillow, by two worker processes that are there already. Weights are random:
they do not change the time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import torch
from PIL import Image
from pyarrow.parquet import read_table
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.ready.ready_images import load_test_set
from occbench.bench.scoring.classify import RenderedPixels, StoredPixels, classify, logits_of
from occbench.bench.scoring.predictions import block_file
from occbench.bench.scoring.score import score
from occbench.bench.scoring.test_set import TestSet
from occbench.core.seeding import stream
from occbench.core.types import Condition
from occbench.data.datasets import StoredDataset
from occbench.data.manifest import read_manifest
from occbench.generate.run import generate
from occbench.models.load import load_backbone

from .generating import FORMATS
from .photographs import copy_photos, recipe
from .settings import Settings
from .turns import Row, compare, network_clock, take_turns, wall_clock

CLASSES: Final = 80
_BARE: Final = "bare forward"


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this measurement."""
    yield from _network("torchvision/resnet18", settings)
    if settings.device.type == "cuda":
        yield from _network("torchvision/resnet50", settings)


def _network(backbone: str, settings: Settings) -> Iterator[Row]:
    with TemporaryDirectory() as folder:
        bench = _Bench(Path(folder), backbone, settings)
        agreeing = bench.agreement()
        clock = network_clock()
        own = {
            _BARE: bench.bare,
            "score, one label": partial(bench.score, bench.test),
            "score, several labels": partial(bench.score, bench.several),
            "ready model, mixed cells": partial(bench.ready, bench.rendered),
            "ready model, stored rows": partial(bench.ready, bench.stored),
        }
        seconds = take_turns(own, settings.turns, clock)
        with_loader = {"score, one label": own["score, one label"], "data loader": bench.data_loader}
        beside = take_turns(with_loader, min(3, settings.turns), wall_clock)
    facts = {"images": len(bench.test.images), "batch_size": bench.batch_size, "precision": bench.precision}
    name = backbone.rpartition("/")[2]
    for way in own:
        if way != _BARE:
            yield compare(f"{name}: {way} / {_BARE}", seconds, (way, _BARE), facts["images"], clock, **facts)
    yield compare(
        f"{name}: score / data loader", beside, ("score, one label", "data loader"), facts["images"], wall_clock,
        **facts, answers_equal_to_data_loader=agreeing,
    )  # fmt: skip


class _Bench:
    """One network, the photographs as a test set, and the ways to classify them."""

    def __init__(self, folder: Path, backbone: str, settings: Settings) -> None:
        self.folder = folder
        images = settings.many(64, 2048, least=8)
        self.batch_size = settings.many(32, 256, least=4)
        self.precision = "bf16" if settings.device.type == "cuda" else "fp32"
        self.photos = copy_photos(settings.photos, images, folder / "photos")
        model = load_backbone(backbone, CLASSES, seed=0)
        model.to(settings.device).to(memory_format=torch.channels_last).eval()
        self.pipeline = Pipeline(model, settings.device, self.precision)
        dataset = folder / "dataset"
        generate(recipe(**FORMATS["Parquet, PNG"]), dataset, source_path=str(folder / "photos"))
        test = load_test_set(dataset, read_manifest(dataset), "speed")
        self.condition = test.occluded[len(test.occluded) // 2]
        self.column = test.occluded.index(self.condition)
        self.test = replace(test, conditions=(self.condition,))
        if len(self.test.images) != images:
            raise SystemExit(f"{images - len(self.test.images)} of the photographs cannot be read.")
        share = stream(0, "scoring", "several labels").uniforms(images, CLASSES)
        labels = torch.from_numpy(share < 3 / CLASSES).float()
        self.several = replace(self.test, images=replace(self.test.images, labels=labels, sizes=None))
        self.rendered = RenderedPixels(test, test.occluded, settings.device)
        self.stored = StoredPixels(StoredDataset(dataset))
        items = _PillowItems(self.photos, self._canvas(self.condition))
        # its workers are started once, before anything is timed
        self.loader = DataLoader(items, self.batch_size, num_workers=2, persistent_workers=True)
        self.normal = [self.pipeline.inputs(batch) for batch in torch.split(test.images.images[:], self.batch_size)]

    @torch.inference_mode()
    def bare(self) -> Tensor:
        """Classify batches that are ready."""
        with self.pipeline.autocast():
            return torch.cat([self.pipeline.model(batch).argmax(1) for batch in self.normal]).cpu()

    def score(self, test: TestSet) -> None:
        """Score one condition into a block."""
        block_file(self.folder / "scores", self.condition).unlink(missing_ok=True)
        score(
            lambda inputs, _: logits_of(self.pipeline, inputs), self.pipeline, test, self.folder / "scores",
            cache=ActivationCache(0), batch_size=self.batch_size,
        )  # fmt: skip

    def ready(self, pixels: Callable[..., Tensor]) -> None:
        """Classify the same cells as cells of any column."""
        rows = np.arange(len(self.test.images))
        cells = rows, np.full_like(rows, self.column)
        classify(self.pipeline, pixels, self.test.images.labels, cells, batch_size=self.batch_size)

    @torch.inference_mode()
    def data_loader(self) -> Tensor:
        """Classify what a data loader makes from the files."""
        found = []
        for pixels in self.loader:
            with self.pipeline.autocast():
                found.append(self.pipeline.model(self.pipeline.inputs(pixels)).argmax(1))
        return torch.cat(found).cpu()

    def agreement(self) -> float:
        """Return the share of the data loader's answers that are the answers of ``score``.

        Not all: Pillow rounds alpha compositing its own way, by one grey level.
        """
        by_loader = self.data_loader()
        self.score(self.test)
        block = read_table(block_file(self.folder / "scores", self.condition), columns=["top1"])
        return round(float((by_loader.numpy() == block["top1"].to_numpy()).mean()), 4)

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
