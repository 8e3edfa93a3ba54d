"""A tiny network, drawn images and their occluded twins: what a method is tried on by ``validate``."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar

import torch
from torch import Tensor

from occbench.bench.batches.augment import Geometry
from occbench.bench.batches.batch import ImageBatch, silhouettes
from occbench.bench.batches.occluding import Occluder
from occbench.bench.batches.pipeline import Pipeline
from occbench.bench.images.images import ImageSet, load_images, render_batch
from occbench.bench.training.training_run import Prediction, extend, generator
from occbench.core.interfaces import Occlusion, Source
from occbench.core.plugins import find_plugin
from occbench.core.prepare import Prepare
from occbench.core.tasks import SINGLE_LABEL, Task
from occbench.core.training import Method
from occbench.data.render import Renderer
from occbench.models.load import load_backbone

__all__ = ["Broken", "Trial", "attempt"]

Result = TypeVar("Result")

_SIZE_PX: Final = 32
_BATCH: Final = 8
#: By how much pixels may leave 0..255: a weighted mean of levels rounds.
_ROUNDING: Final = 0.01


class Broken(Exception):  # noqa: N818 - not an error of the program but a finding about a method
    """A promise that is not kept; the text is the problem of its ``Check``."""


class _Run(Prediction):
    """A run with the trial's images, the pairs that the method asked for, and none if it asked for none."""

    def __init__(
        self, trial: "Trial", pipeline: Pipeline, pairs: list[tuple[Tensor, Tensor]], occluder: Occluder | None
    ) -> None:
        super().__init__(pipeline)
        self._trial = trial
        self.pipeline, self.network = pipeline, pipeline.model
        self.draws = generator(0, "validate")
        self._pairs = pairs
        self._occluder = occluder

    def examples(self, part: str) -> Iterator[tuple[Tensor, Tensor]]:  # noqa: ARG002 - the same images are all parts
        self.batch = self._trial.rows()
        yield self.inputs(self.batch.pixels()), self._trial.labels

    def pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(self._pairs)

    def overlays(self) -> Tensor:
        return super().overlays() if self._occluder is None else self._occluder.overlays()

    def occluded_inputs(self, views: int = 0) -> Tensor:
        if self._occluder is None:
            return super().occluded_inputs(views)
        conditions = self._occluder.draw(self.batch.rows, self.draws, views)
        return self.inputs(self.batch.move(self._occluder.render(self.batch.rows, conditions)))

    def masked_inputs(self, masks: int) -> Tensor:
        # the very occlusions of the batch: a trial has no bank
        return super().masked_inputs(masks) if self._occluder is None else self.occluded_inputs()


class Trial:
    """Images, labels and pairs to try a method on; every run starts from the same weights and draws."""

    def __init__(self, method: Method, task: Task = SINGLE_LABEL) -> None:
        source = find_plugin("sources", "toyparts", Source)(images_per_class=1, size_px=_SIZE_PX)  # type: ignore[call-arg]
        family = find_plugin("occlusions", "patterns", Occlusion)(ratios=(0.2,), random_positions=0)  # type: ignore[call-arg]
        self.classes = len(source.classes)
        labels = {label: label for label in range(self.classes)}
        self._images = load_images(source, range(_BATCH), Prepare(size_px=_SIZE_PX), labels)
        self._renderer = Renderer([family], 0)
        self._method = method
        self._task = task

    @property
    def labels(self) -> Tensor:
        """int64[B]; of several labels float32[B, C], one of them unknown."""
        if self._task is SINGLE_LABEL:
            return self._images.labels.clone()
        targets = SINGLE_LABEL.multi_hot(self._images.labels, self.classes)
        targets[0, -1] = float("nan")
        return targets

    def run(self) -> _Run:
        """Return a new run whose network is in evaluation mode and whose module is fitted."""
        model = load_backbone("tiny", self.classes).eval()
        if not self._method.trains_backbone:
            model.freeze()
        pipeline = Pipeline(model, torch.device("cpu"), "fp32", keep_map="map" in self._method.needs)
        attempt("build", partial(extend, pipeline, self._method, 0))
        pairs = [_pair(pipeline, self._images, self._renderer, row) for row in range(2)]
        needs = self._method.needs
        occluder = Occluder(self._images, self._renderer, self._renderer.conditions, pipeline.device)
        given = occluder if needs & {"overlays", "pairs"} else None
        run = _Run(self, pipeline, pairs if "pairs" in needs else [], given)
        run.task = self._task
        with torch.no_grad():
            attempt("on_training_start", partial(self._method.on_training_start, run))
            attempt("on_training_end", partial(self._method.on_training_end, run))
        run.memory.clear()
        run.draws = generator(0, "validate")
        return run

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
        return run.inputs(self._images.images[:])

    def training_batch(self, run: _Run) -> tuple[Tensor, Tensor]:
        """Return (inputs, targets) as the method gets them to train, its own augmentation included.

        Raises:
            Broken: ``augment`` raised, or returned something else than images and targets of this batch.
        """
        run.batch = before = self.rows()
        labels = self.labels
        found: Any = attempt("augment", partial(self._method.augment, run, before.pixels(), labels))
        if not (isinstance(found, tuple) and len(found) == 2 and all(isinstance(part, Tensor) for part in found)):
            raise Broken(f"augment must return (images, targets), found {_describe(found)}.")
        unchanged = torch.equal(labels.nan_to_num(-1), self.labels.nan_to_num(-1))
        if not torch.equal(before.pixels(), self._images.images[:].float()) or not unchanged:
            raise Broken("augment changed its images or labels in place. Work on a new tensor (images.clone()).")
        images, targets = found
        self._check_images(images, before.pixels())
        self._check_targets(targets)
        run.batch = ImageBatch(lambda: images, before.masks, None, before.rows)
        return run.inputs(images), targets

    def _check_images(self, images: Tensor, before: Tensor) -> None:
        if images.shape != before.shape or images.dtype != before.dtype:
            raise Broken(f"augment must return images {_describe(before)}, found {_describe(images)}.")
        low, high = images.amin().item(), images.amax().item()
        if not (low >= -_ROUNDING and high <= 255 + _ROUNDING):  # a number that is none fails both
            raise Broken(
                f"augment returned pixels from {low:.6g} to {high:.6g}; they are 0 to 255 before and after it. Scale "
                "back, and clamp."
            )

    def _check_targets(self, targets: Tensor) -> None:
        hard = targets.shape == (_BATCH,) and targets.dtype == torch.int64
        soft = targets.shape == (_BATCH, self.classes) and targets.is_floating_point()
        if not (hard or soft):
            raise Broken(
                f"augment must return targets int64[{_BATCH}] or float32[{_BATCH}, {self.classes}] (images, classes), "
                f"found {_describe(targets)}."
            )
        if soft and self._task is SINGLE_LABEL and not torch.allclose(targets.sum(1), torch.ones(_BATCH), atol=1e-4):
            raise Broken("augment returned targets that do not sum to 1 for every image. Divide by their sum.")

    def rows(self, rows: slice = slice(None)) -> ImageBatch:
        """Return the images behind some rows of the batch."""
        images, device = self._images, torch.device("cpu")
        pixels = images.images[rows].float()
        places = range(_BATCH)[rows]
        return ImageBatch(
            lambda: pixels, lambda: silhouettes(images, places, Geometry(), device), list(images.keys[rows]), places
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
