"""A tiny network, drawn images and their occluded twins: what a method is tried on by ``validate``."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar

import torch
from torch import Tensor

from occbench.bench.images import ImageSet, load_images, render_batch
from occbench.bench.pipeline import Pipeline
from occbench.bench.training_run import Prediction, generator
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

    def __init__(self, pipeline: Pipeline, pairs: list[tuple[Tensor, Tensor]]) -> None:
        super().__init__(pipeline)
        self.pipeline, self.network = pipeline, pipeline.model
        self.draws = generator(0, "validate")
        self._pairs = pairs

    def pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(self._pairs)


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
        pairs = [_pair(pipeline, self._images, self._renderer, row) for row in range(2)]
        return _Run(pipeline, pairs if "pairs" in self._method.needs else [])

    def started(self) -> _Run:
        """Return a run at its first batch."""
        run = self.run()
        with torch.no_grad():
            attempt("on_epoch_start", partial(self._method.on_epoch_start, run))
        run.network.train()
        return run

    def inputs(self, run: _Run) -> Tensor:
        """Return the batch as the method gets it."""
        return run.network.normalise(self._images.images)

    def loss(self, run: _Run) -> Tensor:
        """Return the method's loss of the batch.

        Raises:
            Broken: it is no scalar, not finite, or an exception.
        """
        found: Any = attempt("loss", partial(self._method.loss, run, self.inputs(run), self.labels))
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
            found: Any = attempt("predict", partial(self._method.predict, run, inputs))
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
