"""A tiny network, drawn images and their occluded twins: what a method is tried on by ``validate``."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np
import torch
from torch import Tensor

from occbench.bench.augment import Geometry
from occbench.bench.batch import ImageBatch, silhouettes
from occbench.bench.images import ImageSet, load_images, render_batch
from occbench.bench.pipeline import Pipeline
from occbench.bench.training_run import Prediction, extend, generator
from occbench.core.interfaces import Method, Occlusion, Source
from occbench.core.plugins import find_plugin
from occbench.core.prepare import Prepare
from occbench.data.render import Renderer
from occbench.models.load import load_backbone

__all__ = ["Broken", "Trial", "attempt"]

Result = TypeVar("Result")

_SIZE_PX: Final = 32
_BATCH: Final = 8


class Broken(Exception):  # noqa: N818 - not an error of the program but a finding about a method
    """A promise that is not kept; the text is the problem of its ``Check``."""


class _Run(Prediction):
    """A run with the pairs that the method asked for, and none if it asked for none."""

    def __init__(self, pipeline: Pipeline, pairs: list[tuple[Tensor, Tensor]], overlays: Tensor | None) -> None:
        super().__init__(pipeline)
        self.pipeline, self.network = pipeline, pipeline.model
        self.draws = generator(0, "validate")
        self._pairs = pairs
        self._overlays = overlays

    def pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(self._pairs)

    def overlays(self) -> Tensor:
        return super().overlays() if self._overlays is None else self._overlays


class Trial:
    """Images, labels and pairs to try a method on; every run starts from the same weights and draws."""

    def __init__(self, method: Method) -> None:
        source = find_plugin("sources", "toyparts", Source)(images_per_class=1, size_px=_SIZE_PX)  # type: ignore[call-arg]
        family = find_plugin("occlusions", "patterns", Occlusion)(ratios=(0.2,), random_positions=0)  # type: ignore[call-arg]
        self.classes = len(source.classes)
        labels = {label: label for label in range(self.classes)}
        self._images = load_images(source, range(_BATCH), Prepare(size_px=_SIZE_PX), labels)
        self._renderer = Renderer([family], 0)
        self._method = method

    @property
    def labels(self) -> Tensor:
        """int64[B]."""
        return self._images.labels.clone()

    def run(self) -> _Run:
        """Return a new run whose network is in evaluation mode."""
        model = load_backbone("tiny", self.classes).eval()
        pipeline = Pipeline(model, torch.device("cpu"), "fp32")
        attempt("build", partial(extend, pipeline, self._method, 0))
        pairs = [_pair(pipeline, self._images, self._renderer, row) for row in range(2)]
        needs = self._method.needs
        return _Run(pipeline, pairs if "pairs" in needs else [], self._overlays() if "overlays" in needs else None)

    def _overlays(self) -> Tensor:
        drawn = [self._renderer.full_overlay(self._images.examples[0], item) for item in self._renderer.conditions]
        return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2)

    def started(self) -> _Run:
        """Return a run at its first batch."""
        run = self.run()
        with torch.no_grad():
            attempt("on_epoch_start", partial(self._method.on_epoch_start, run))
        run.network.train()
        return run

    def inputs(self, run: _Run) -> Tensor:
        """Return the batch as the method gets it to predict."""
        run.batch = self.rows()
        return run.inputs(self._images.images)

    def training_batch(self, run: _Run) -> tuple[Tensor, Tensor]:
        """Return (inputs, targets) as the method gets them to train, its own augmentation included.

        Raises:
            Broken: ``augment`` raised, or returned something else than images and targets of this batch.
        """
        run.batch = before = self.rows()
        found: Any = attempt("augment", partial(self._method.augment, run, before.pixels(), self.labels))
        if not (isinstance(found, tuple) and len(found) == 2 and all(isinstance(part, Tensor) for part in found)):
            raise Broken(f"augment must return (images, targets), found {_describe(found)}.")
        images, targets = found
        if images.shape != before.pixels().shape or len(targets) != len(images):
            raise Broken(
                f"augment must return {list(before.pixels().shape)} images and a target for each, found "
                f"{_describe(images)} and {_describe(targets)}."
            )
        if not torch.equal(before.pixels(), self._images.images.float()):
            raise Broken("augment changed its images in place. Work on a new tensor (images.clone()).")
        run.batch = ImageBatch(lambda: images, before.masks, None)
        return run.inputs(images), targets

    def rows(self, rows: slice = slice(None)) -> ImageBatch:
        """Return the images behind some rows of the batch."""
        images, device = self._images, torch.device("cpu")
        pixels = images.images[rows].float()
        places = range(_BATCH)[rows]
        return ImageBatch(
            lambda: pixels, lambda: silhouettes(images, places, Geometry(), device), list(images.keys[rows])
        )

    def loss(self, run: _Run) -> Tensor:
        """Return the method's loss of the batch.

        Raises:
            Broken: it is no scalar, not finite, or an exception.
        """
        found: Any = attempt("loss", partial(self._method.loss, run, *self.training_batch(run)))
        if not isinstance(found, Tensor) or found.ndim or not found.is_floating_point():
            raise Broken(f"loss must return one number as a tensor, found {_describe(found)}. Take the mean.")
        if not torch.isfinite(found):
            raise Broken(f"loss returned {found.item()} on clean images. Look for a log or a division of zero.")
        return found

    def predict(self, run: _Run, rows: slice = slice(None)) -> Tensor:
        """Return the method's answers for the batch, or some rows of it.

        Raises:
            Broken: they have another shape, or an exception.
        """
        inputs = self.inputs(run)[rows]
        with torch.no_grad():
            found: Any = attempt("predict", partial(run.ask, self._method, inputs, self.rows(rows)))
        if not isinstance(found, Tensor) or found.shape != (len(inputs), self.classes):
            raise Broken(
                f"predict must return logits [{len(inputs)}, {self.classes}] (images, classes), found "
                f"{_describe(found)}. Return run.head's result."
            )
        return found


def _pair(pipeline: Pipeline, images: ImageSet, renderer: Renderer, row: int) -> tuple[Tensor, Tensor]:
    one = slice(row, row + 1)
    twins = [render_batch(images, one, item, renderer, pipeline.device) for item in renderer.conditions]
    return pipeline.inputs(images.images[one]), pipeline.inputs(torch.cat(twins))


def attempt(what: str, function: Callable[[], Result]) -> Result:
    """Call code of the user's.

    Raises:
        Broken: whatever it raised, named after ``what``.
    """
    try:
        return function()
    except Exception as error:
        raise Broken(f"{what} raised {type(error).__name__}: {' '.join(str(error).split())[:300]}") from error


def _describe(found: object) -> str:
    if isinstance(found, Tensor):
        return f"{str(found.dtype).removeprefix('torch.')}{list(found.shape)}"
    return f"a {type(found).__name__}"
