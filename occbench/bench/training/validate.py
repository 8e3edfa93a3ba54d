"""`occbench validate`: the contract of a user's method, tried in seconds on drawn images with a tiny network."""

import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import Any, Final

import torch
from pydantic.errors import PydanticSchemaGenerationError
from torch import Tensor

from occbench.bench.training.training_run import Prediction
from occbench.bench.training.trial import Broken, Trial, attempt
from occbench.core.build import build_plugin
from occbench.core.canonical import canonical_json
from occbench.core.errors import ConfigError, PluginError
from occbench.core.tasks import MULTI_LABEL
from occbench.core.training import NEEDS, Method

__all__ = ["Check", "validate_method"]


@dataclass(frozen=True)
class Check:
    """One line of the verdict.

    Attributes:
        promise: what a method must do.
        problem: what was found and what to do about it; empty where the promise is kept.
    """

    promise: str
    problem: str


def validate_method(name: str, options: Mapping[str, Any] | None = None) -> Iterator[Check]:
    """Try a method and yield one check after another; where it cannot be built, or its module, the others are left out.

    Args:
        name: a built-in name, an entry point's name, or ``path/to/file.py:ClassName``.
        options: those that are not to have their defaults.
    """
    promise = "it is found, and built with its options"
    try:
        method = _built(name, options or {})
    except Broken as broken:
        yield Check(promise, str(broken))
        return
    yield Check(promise, "")
    trial = Trial(method)
    for promise, check in _PROMISES.items():
        try:
            check(method, trial)
        except Broken as broken:
            yield Check(promise, str(broken))
            if check is _module_is_built:
                return
        else:
            yield Check(promise, "")


def _built(name: str, options: Mapping[str, Any]) -> Method:
    try:
        return build_plugin(name, "methods", Method, options)
    except (ConfigError, PluginError) as error:
        raise Broken(str(error)) from error
    except (PydanticSchemaGenerationError, TypeError) as error:
        raise Broken(
            f"an option's type cannot be read from YAML ({str(error).splitlines()[0]}). "
            "Use str, int, float, bool, or tuples of these, each with a default."
        ) from error


def _is_a_frozen_value(method: Method, _: Trial) -> None:
    if is_dataclass(method):
        if not type(method).__dataclass_params__.frozen:
            raise Broken("its options can be changed afterwards. Write @dataclass(frozen=True) above the class.")
        options = {item.name: getattr(method, item.name) for item in fields(method) if item.init}
        try:
            canonical_json(options)
        except (TypeError, ValueError) as error:
            raise Broken(f"an option is no JSON value: {error}. Use str, int, float, bool or tuples.") from error
    elif vars(method):
        raise Broken(f"it keeps {', '.join(vars(method))} outside of options. Make it a frozen dataclass.")


def _can_be_pickled(method: Method, _: Trial) -> None:
    copy = attempt("pickling it", lambda: pickle.loads(pickle.dumps(method)))  # our own bytes
    if is_dataclass(method) and copy != method:
        raise Broken("its pickled copy differs from it. Let options be plain values with an equality.")


def _needs_what_there_is(method: Method, _: Trial) -> None:
    if unknown := sorted(method.needs - NEEDS):
        raise Broken(f"needs asks for {', '.join(unknown)}; the trainer offers {', '.join(sorted(NEEDS))}.")


def _module_is_built(_: Method, trial: Trial) -> None:
    trial.run()


def _augments_a_batch(_: Method, trial: Trial) -> None:
    trial.training_batch(trial.started())


def _loss_is_one_finite_number(method: Method, trial: Trial) -> None:
    if not method.has_epochs:
        return  # it is never asked for a loss
    trial.loss(trial.started())


def _loss_has_gradients(method: Method, trial: Trial) -> None:
    if not method.has_epochs:
        return
    run = trial.started()
    loss = trial.loss(run)
    if not loss.requires_grad:
        raise Broken("the loss has no gradient. Leave .item(), .detach() and torch.no_grad() out of it.")
    loss.backward()  # type: ignore[no-untyped-call]
    halves = (("trunk", run.network.trunk), ("head", run.network.head)) if method.trains_backbone else ()
    for half, network in halves:
        if not any(weight.grad is not None and weight.grad.any() for weight in network.parameters()):
            raise Broken(f"no gradient reaches the {half}. Take vectors from run.vectors and logits from run.head.")
    learned = [] if run.network.extension is None else list(run.network.extension.parameters())
    if any(weight.requires_grad for weight in learned) and all(weight.grad is None for weight in learned):
        raise Broken("no gradient reaches the module that build made. Use run.module in the loss.")


def _learns_from_several_labels(method: Method, _: Trial) -> None:
    if MULTI_LABEL.name not in method.tasks:
        return
    trial = Trial(method, MULTI_LABEL)
    if not trial.loss(trial.started()).requires_grad:
        raise Broken("the loss of several labels has no gradient. Make it of run.task.loss.")


def _steps_change_the_weights(method: Method, trial: Trial) -> None:
    if not method.has_epochs:
        return
    run = trial.started()
    optimizer = torch.optim.SGD([weight for weight in run.network.parameters() if weight.requires_grad], lr=0.01)
    before = [weight.detach().clone() for weight in run.network.parameters()]
    for _ in range(3):
        optimizer.zero_grad()
        attempt("loss.backward", trial.loss(run).backward)
        optimizer.step()
    after = list(run.network.parameters())
    if all(torch.equal(one, other) for one, other in zip(before, after, strict=True)):
        raise Broken("three training steps changed no weight. See that the loss depends on run.head's logits.")


def _inputs_stay_as_they_are(method: Method, trial: Trial) -> None:
    run = trial.started()
    inputs, targets = trial.training_batch(run)
    kept = inputs.clone(), targets.clone()
    if method.has_epochs:
        attempt("loss", partial(method.loss, run, inputs, targets))
        _check_unchanged("loss", (inputs, targets), kept)
    run.network.eval()
    inputs = trial.inputs(run)
    kept = inputs.clone(), targets
    with torch.no_grad():
        attempt("predict", partial(run.ask, method, inputs, trial.rows()))
    _check_unchanged("predict", (inputs, targets), kept)


def _check_unchanged(what: str, now: tuple[Tensor, Tensor], before: tuple[Tensor, Tensor]) -> None:
    if not all(torch.equal(one, other) for one, other in zip(now, before, strict=True)):
        raise Broken(f"{what} changed its inputs or labels in place. Work on a new tensor (x + y, not x += y).")


def _draws_come_from_the_run(method: Method, trial: Trial) -> None:
    if not method.has_epochs:
        return
    losses = {trial.loss(trial.started()).item() for _ in range(3)}
    if len(losses) > 1:
        raise Broken(
            f"equal draws gave the losses {', '.join(f'{value:.6f}' for value in sorted(losses))}. Draw with "
            "generator=run.draws (on the CPU), and keep notes in run.memory alone."
        )


def _predicts_one_row_for_each_image(_: Method, trial: Trial) -> None:
    found = trial.predict(trial.run())
    if not torch.isfinite(found).all():
        raise Broken("predict returned numbers that are not finite. Look for a log or a division of zero.")


def _predictions_are_the_images_own(method: Method, trial: Trial) -> None:
    run = trial.run()
    if method.adapts:  # to the images beside: then at least every column starts alike
        first = trial.predict(run)
        run.memory.clear()
        if not torch.equal(trial.predict(run), first):
            raise Broken("the same column was answered differently twice. Keep what is adapted in run.memory alone.")
        return
    bare = Prediction(run.pipeline)  # no pairs, no memory: what a method gets at test time
    inputs = trial.inputs(run)[:2]
    with torch.no_grad():
        alone = attempt("predict", partial(bare.ask, method, inputs, trial.rows(slice(2))))
    if not torch.allclose(trial.predict(run)[:2], alone, atol=1e-6):
        raise Broken("an image's answer depends on the images beside it, or on chance. Predict without either.")


_PROMISES: Final[dict[str, Callable[[Method, Trial], None]]] = {
    "it is a frozen value with JSON options": _is_a_frozen_value,
    "it can be pickled": _can_be_pickled,
    "it needs only what the trainer offers": _needs_what_there_is,
    "what it learns beside the network is built": _module_is_built,
    "augment returns images and targets of the batch": _augments_a_batch,
    "loss is one finite number": _loss_is_one_finite_number,
    "its gradient reaches trunk and head": _loss_has_gradients,
    "a loss of several labels, if its tasks promise one": _learns_from_several_labels,
    "training steps change the weights": _steps_change_the_weights,
    "inputs stay as they are": _inputs_stay_as_they_are,
    "all chance comes from run.draws": _draws_come_from_the_run,
    "predict returns finite logits for every image": _predicts_one_row_for_each_image,
    "an image's prediction is its own": _predictions_are_the_images_own,
}
