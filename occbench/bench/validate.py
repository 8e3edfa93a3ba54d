"""`occbench validate`: the contract of a user's method, tried in seconds on drawn images with a tiny network."""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import Any, Final, TypeVar

import torch
from pydantic.errors import PydanticSchemaGenerationError
from torch import Tensor

from occbench.bench.images import ImageSet, load_images, render_batch
from occbench.bench.pipeline import Pipeline
from occbench.bench.train import Prediction, generator
from occbench.core.canonical import canonical_json
from occbench.core.errors import ConfigError, PluginError
from occbench.core.interfaces import Method, Occlusion, Source
from occbench.core.plugins import find_plugin
from occbench.core.prepare import Prepare
from occbench.data.config import build_plugin
from occbench.data.render import Renderer
from occbench.models.load import load_backbone

__all__ = ["Check", "validate_method"]

Result = TypeVar("Result")

_SIZE_PX: Final = 32
_BATCH: Final = 8
_NEEDS: Final = frozenset({"pairs"})


@dataclass(frozen=True)
class Check:
    """One line of the verdict.

    Attributes:
        promise: what a method must do.
        problem: what was found and what to do about it; empty where the promise is kept.
    """

    promise: str
    problem: str


class _Broken(Exception):  # noqa: N818 - not an error of the program but a finding about a method
    """A promise that is not kept; the text is the problem of its ``Check``."""


def validate_method(name: str) -> Iterator[Check]:
    """Try a method and yield one check after another; a method that cannot be built has only the first.

    Args:
        name: a built-in name, an entry point's name, or ``path/to/file.py:ClassName``.
    """
    promise = "it is found, and built with its default options"
    try:
        method = _built(name)
    except _Broken as broken:
        yield Check(promise, str(broken))
        return
    yield Check(promise, "")
    stage = _Stage(method)
    for promise, check in _PROMISES.items():
        try:
            check(method, stage)
        except _Broken as broken:
            yield Check(promise, str(broken))
        else:
            yield Check(promise, "")


class _Run(Prediction):
    """A run with the pairs that the method asked for, and none if it asked for none."""

    def __init__(self, pipeline: Pipeline, pairs: list[tuple[Tensor, Tensor]]) -> None:
        super().__init__(pipeline)
        self.network = pipeline.model
        self.draws = generator(0, "validate")
        self._pairs = pairs

    def pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(self._pairs)


class _Stage:
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
            _call("on_epoch_start", partial(self._method.on_epoch_start, run))
        run.network.train()
        return run

    def inputs(self, run: _Run) -> Tensor:
        """Return the batch as the method gets it."""
        return run.network.normalise(self._images.images)

    def loss(self, run: _Run) -> Tensor:
        """Return the method's loss of the batch.

        Raises:
            _Broken: it is no scalar, not finite, or an exception.
        """
        found: Any = _call("loss", partial(self._method.loss, run, self.inputs(run), self.labels))
        if not isinstance(found, Tensor) or found.ndim or not found.is_floating_point():
            raise _Broken(f"loss must return one number as a tensor, found {_describe(found)}. Take the mean.")
        if not torch.isfinite(found):
            raise _Broken(f"loss returned {found.item()} on clean images. Look for a log or a division of zero.")
        return found

    def predict(self, run: _Run, rows: slice = slice(None)) -> Tensor:
        """Return the method's answers for the batch, or some rows of it.

        Raises:
            _Broken: they have another shape, or an exception.
        """
        inputs = self.inputs(run)[rows]
        with torch.no_grad():
            found: Any = _call("predict", partial(self._method.predict, run, inputs))
        if not isinstance(found, Tensor) or found.shape != (len(inputs), self.classes):
            raise _Broken(
                f"predict must return logits [{len(inputs)}, {self.classes}] (images, classes), found "
                f"{_describe(found)}. Return run.head's result."
            )
        return found


def _pair(pipeline: Pipeline, images: ImageSet, renderer: Renderer, row: int) -> tuple[Tensor, Tensor]:
    one = slice(row, row + 1)
    twins = [render_batch(images, one, item, renderer, pipeline.device) for item in renderer.conditions]
    return pipeline.inputs(images.images[one]), pipeline.inputs(torch.cat(twins))


def _built(name: str) -> Method:
    try:
        return build_plugin(name, "methods", Method, {})
    except (ConfigError, PluginError) as error:
        raise _Broken(str(error)) from error
    except (PydanticSchemaGenerationError, TypeError) as error:
        raise _Broken(
            f"an option's type cannot be read from YAML ({str(error).splitlines()[0]}). "
            "Use str, int, float, bool, or tuples of these, each with a default."
        ) from error


def _call(what: str, function: Callable[[], Result]) -> Result:
    try:
        return function()
    except Exception as error:
        raise _Broken(f"{what} raised {type(error).__name__}: {' '.join(str(error).split())[:300]}") from error


def _describe(found: object) -> str:
    if isinstance(found, Tensor):
        return f"{str(found.dtype).removeprefix('torch.')}{list(found.shape)}"
    return f"a {type(found).__name__}"


def _is_a_frozen_value(method: Method, _: _Stage) -> None:
    if is_dataclass(method):
        if not type(method).__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise _Broken("its options can be changed afterwards. Write @dataclass(frozen=True) above the class.")
        options = {item.name: getattr(method, item.name) for item in fields(method) if item.init}
        try:
            canonical_json(options)
        except (TypeError, ValueError) as error:
            raise _Broken(f"an option is no JSON value: {error}. Use str, int, float, bool or tuples.") from error
    elif vars(method):
        raise _Broken(f"it keeps {', '.join(vars(method))} outside of options. Make it a frozen dataclass.")


def _can_be_pickled(method: Method, _: _Stage) -> None:
    copy = _call("pickling it", lambda: pickle.loads(pickle.dumps(method)))  # our own bytes
    if is_dataclass(method) and copy != method:
        raise _Broken("its pickled copy differs from it. Let options be plain values with an equality.")


def _needs_what_there_is(method: Method, _: _Stage) -> None:
    if unknown := sorted(method.needs - _NEEDS):
        raise _Broken(f"needs asks for {', '.join(unknown)}; the trainer offers {', '.join(sorted(_NEEDS))}.")


def _loss_is_one_finite_number(_: Method, stage: _Stage) -> None:
    stage.loss(stage.started())


def _loss_has_gradients(_: Method, stage: _Stage) -> None:
    run = stage.started()
    loss = stage.loss(run)
    if not loss.requires_grad:
        raise _Broken("the loss has no gradient. Leave .item(), .detach() and torch.no_grad() out of it.")
    loss.backward()
    for half, network in (("trunk", run.network.trunk), ("head", run.network.head)):
        if not any(weight.grad is not None and weight.grad.any() for weight in network.parameters()):
            raise _Broken(f"no gradient reaches the {half}. Take vectors from run.vectors and logits from run.head.")


def _steps_change_the_weights(_method: Method, stage: _Stage) -> None:
    run = stage.started()
    optimizer = torch.optim.SGD(run.network.parameters(), lr=0.01)
    before = [weight.detach().clone() for weight in run.network.parameters()]
    for _ in range(3):
        optimizer.zero_grad()
        _call("loss.backward", stage.loss(run).backward)
        optimizer.step()
    after = list(run.network.parameters())
    if all(torch.equal(one, other) for one, other in zip(before, after, strict=True)):
        raise _Broken("three training steps changed no weight. See that the loss depends on run.head's logits.")


def _inputs_stay_as_they_are(method: Method, stage: _Stage) -> None:
    run = stage.started()
    for what in ("loss", "predict"):
        inputs, labels = stage.inputs(run), stage.labels
        if what == "loss":
            _call(what, partial(method.loss, run, inputs, labels))
        else:
            run.network.eval()
            with torch.no_grad():
                _call(what, partial(method.predict, run, inputs))
        if not (torch.equal(inputs, stage.inputs(run)) and torch.equal(labels, stage.labels)):
            raise _Broken(f"{what} changed its inputs or labels in place. Work on a new tensor (x + y, not x += y).")


def _draws_come_from_the_run(_: Method, stage: _Stage) -> None:
    losses = {stage.loss(stage.started()).item() for _ in range(3)}
    if len(losses) > 1:
        raise _Broken(
            f"equal draws gave the losses {', '.join(f'{value:.6f}' for value in sorted(losses))}. Draw with "
            "generator=run.draws (on the CPU), and keep notes in run.memory alone."
        )


def _predicts_one_row_for_each_image(_: Method, stage: _Stage) -> None:
    found = stage.predict(stage.run())
    if not torch.isfinite(found).all():
        raise _Broken("predict returned numbers that are not finite. Look for a log or a division of zero.")


def _predictions_are_the_images_own(method: Method, stage: _Stage) -> None:
    bare = Prediction(stage.run()._pipeline)  # no pairs, no memory: what a method gets at test time
    run = stage.run()
    with torch.no_grad():
        alone = _call("predict", partial(method.predict, bare, stage.inputs(run)[:2]))
    if not torch.allclose(stage.predict(run)[:2], alone, atol=1e-6):
        raise _Broken("an image's answer depends on the images beside it, or on chance. Predict without either.")


_PROMISES: Final[dict[str, Callable[[Method, _Stage], None]]] = {
    "it is a frozen value with JSON options": _is_a_frozen_value,
    "it can be pickled": _can_be_pickled,
    "it needs only what the trainer offers": _needs_what_there_is,
    "loss is one finite number": _loss_is_one_finite_number,
    "its gradient reaches trunk and head": _loss_has_gradients,
    "training steps change the weights": _steps_change_the_weights,
    "inputs stay as they are": _inputs_stay_as_they_are,
    "all chance comes from run.draws": _draws_come_from_the_run,
    "predict returns finite logits for every image": _predicts_one_row_for_each_image,
    "an image's prediction is its own": _predictions_are_the_images_own,
}
