"""A method that breaks one promise fails that check, with a line that says what to do."""

import pytest

from occbench.bench.training.validate import validate_method

HEAD = """
import random
from dataclasses import dataclass, field
import torch
from torch.nn.functional import cross_entropy
from occbench.core.training import Method

def plain(run, inputs, labels):
    return cross_entropy(run.head(run.vectors(inputs)), labels)

"""
FROZEN = "@dataclass(frozen=True)\nclass Mine(Method):\n"
LOSS = FROZEN + "    def loss(self, run, inputs, labels):\n        "
PREDICT = FROZEN + "    def predict(self, run, inputs):\n        "
AUGMENT = FROZEN + "    def augment(self, run, images, labels):\n        "
BUILD = FROZEN + "    def build(self, run):\n        "
AUGMENTS = "augment returns images and targets of the batch"

#: what is wrong -> (the class, the promise that fails, part of what is said about it)
BROKEN = {
    "loss of every image": (
        LOSS + "return cross_entropy(run.head(run.vectors(inputs)), labels, reduction='none')",
        "loss is one finite number",
        r"found float32\[8\]. Take the mean",
    ),
    "loss as a number": (
        LOSS + "return plain(run, inputs, labels).item()",
        "loss is one finite number",
        "found a float",
    ),
    "loss not finite": (LOSS + "return plain(run, inputs, labels) * float('inf')", "loss is one finite number", "inf"),
    "loss raises": (LOSS + "return run.nothing", "loss is one finite number", "loss raised AttributeError"),
    "no gradient": (
        LOSS + "return plain(run, inputs, labels).detach()",
        "its gradient reaches trunk and head",
        "no gradient",
    ),
    "no gradient in the trunk": (
        LOSS + "return cross_entropy(run.head(run.vectors(inputs).detach()), labels)",
        "its gradient reaches trunk and head",
        "reaches the trunk",
    ),
    "inputs changed": (
        LOSS + "return plain(run, inputs.add_(1), labels)",
        "inputs stay as they are",
        "loss changed its inputs",
    ),
    "labels changed": (
        LOSS + "return plain(run, inputs, labels.zero_())",
        "inputs stay as they are",
        "loss changed its inputs or labels",
    ),
    "inputs changed at test time": (
        PREDICT + "return run.head(run.vectors(inputs.mul_(2)))",
        "inputs stay as they are",
        "predict changed",
    ),
    "global generator of torch": (
        LOSS + "return plain(run, inputs + torch.randn_like(inputs), labels)",
        "all chance comes from run.draws",
        "generator=run.draws",
    ),
    "global generator of Python": (
        LOSS + "return plain(run, inputs * random.random(), labels)",
        "all chance comes from run.draws",
        "equal draws",
    ),
    "wrong shape": (
        PREDICT + "return run.head(run.vectors(inputs)).argmax(1)",
        "predict returns finite logits for every image",
        r"logits \[8, 12\] .*found int64\[8\]",
    ),
    "answers not finite": (
        PREDICT + "return run.head(run.vectors(inputs)) / 0",
        "predict returns finite logits for every image",
        "finite",
    ),
    "answers by company": (
        PREDICT + "logits = run.head(run.vectors(inputs))\n        return logits - logits.mean(0)",
        "an image's prediction is its own",
        "beside it",
    ),
    "memory at test time": (
        FROZEN + "    def loss(self, run, inputs, labels):\n        run.memory['seen'] = 1\n"
        "        return plain(run, inputs, labels)\n"
        "    def predict(self, run, inputs):\n        return run.head(run.vectors(inputs)) * run.memory['seen']",
        "predict returns finite logits for every image",
        "KeyError",
    ),
    "not picklable": (
        FROZEN + "    def __post_init__(self):\n        object.__setattr__(self, 'hook', lambda: 0)",
        "it can be pickled",
        "pickling it raised",
    ),
    "not frozen": (
        "@dataclass\nclass Mine(Method):\n    rate: float = 1.0\n",
        "it is a frozen value with JSON options",
        "frozen=True",
    ),
    "state of its own": (
        "class Mine(Method):\n    def __init__(self):\n        self.table = None",
        "it is a frozen value with JSON options",
        "keeps table outside of options",
    ),
    "unknown option type": (
        FROZEN + "    network: torch.nn.Module | None = None\n",
        "it is found, and built with its options",
        "an option's type cannot be read from YAML",
    ),
    "an option without a default": (
        FROZEN + "    rate: float\n",
        "it is found, and built with its options",
        "needs rate",
    ),
    "augment changes its images": (
        AUGMENT + "return images.mul_(0.5), labels",
        AUGMENTS,
        "changed its images or labels",
    ),
    "augment changes its labels": (AUGMENT + "return images, labels.zero_()", AUGMENTS, "changed its images or labels"),
    "augment raises": (AUGMENT + "return images @ labels", AUGMENTS, "augment raised RuntimeError"),
    "augment returns images alone": (
        AUGMENT + "return images * 0.5",
        AUGMENTS,
        r"\(images, targets\), found float32",
    ),
    "augment drops an image": (
        AUGMENT + "return images[1:], labels[1:]",
        AUGMENTS,
        r"images float32\[8, 3, 32, 32\], found float32\[7, 3, 32, 32\]",
    ),
    "augment returns whole levels": (AUGMENT + "return images.byte(), labels", AUGMENTS, "found uint8"),
    "augment normalises": (AUGMENT + "return (images - 128) / 64, labels", AUGMENTS, r"pixels from -\S+ to .*Scale"),
    "augment makes no number": (AUGMENT + "return images / 0, labels", AUGMENTS, "pixels from nan to nan"),
    "targets of one class": (
        AUGMENT + "return images, labels[:, None].float()",
        AUGMENTS,
        r"int64\[8\] or float32\[8, 12\] \(images, classes\), found float32\[8, 1\]",
    ),
    "targets that are no shares": (
        AUGMENT + "return images, torch.ones(len(images), run.num_classes)",
        AUGMENTS,
        "do not sum to 1",
    ),
    "global generator in augment": (
        AUGMENT + "return images * torch.rand(()), labels",
        "all chance comes from run.draws",
        "generator=run.draws",
    ),
    "build raises": (
        BUILD + "return torch.nn.Linear(run.depth, 1)",
        "what it learns beside the network is built",
        "build raised AttributeError",
    ),
    "build returns no module": (
        BUILD + "return torch.zeros(run.dim)",
        "what it learns beside the network is built",
        "build returned a Tensor: return a torch module",
    ),
    "a module that learns nothing": (
        BUILD + "return torch.nn.Linear(run.dim, 1)",
        "its gradient reaches trunk and head",
        "no gradient reaches the module that build made",
    ),
    "unknown needs": (
        FROZEN + "    needs = frozenset({'depth maps'})\n",
        "it needs only what the trainer offers",
        "asks for depth maps",
    ),
}


@pytest.fixture
def name_of(tmp_path):
    """Return a function that writes a method file and returns the method's name."""

    def write(body):
        (tmp_path / "mine.py").write_text(HEAD + body + "\n")
        return f"{tmp_path / 'mine.py'}:Mine"

    return write


def problems(name, **options):
    return {check.promise: check.problem for check in validate_method(name, options) if check.problem}


@pytest.mark.parametrize(("body", "promise", "said"), BROKEN.values(), ids=BROKEN)
def test_a_broken_promise_is_found_and_explained(name_of, body, promise, said):
    import re

    found = problems(name_of(body))
    assert promise in found, found
    assert re.search(said, found[promise]), found[promise]
    assert "\n" not in found[promise]


def test_an_empty_method_and_options_of_every_kind_are_fine(name_of):
    options = (
        "    a: int = 1\n    b: float = 0.5\n    c: str = 'x'\n    d: bool = True\n    e: tuple[float, ...] = (1.0,)\n"
    )
    assert problems(name_of(FROZEN + options)) == {}
    assert problems(name_of("class Mine(Method):\n    pass")) == {}


def test_a_method_is_tried_with_other_options_than_its_defaults(name_of):
    body = (
        "    rate: float = 2.0\n    def augment(self, run, images, labels):\n        return images * self.rate, labels"
    )
    assert AUGMENTS in problems(name_of(FROZEN + body))
    assert problems(name_of(FROZEN + body), rate=0.5) == {}
    (unknown,) = validate_method(name_of(FROZEN + body), {"speed": 1})
    assert "has no option speed. Its options: rate" in unknown.problem


def test_where_its_module_cannot_be_built_nothing_else_is_tried(name_of):
    checks = list(validate_method(name_of(BROKEN["build raises"][0])))
    assert [bool(check.problem) for check in checks] == [False] * (len(checks) - 1) + [True]
    assert checks[-1].promise == BROKEN["build raises"][1]


def test_a_module_and_an_augmentation_of_ones_own_are_fine(name_of):
    body = """
    def build(self, run):
        return torch.nn.Linear(run.dim, run.num_classes)
    def augment(self, run, images, labels):
        assert torch.equal(run.batch.pixels(), images)
        assert run.batch.masks().shape == (len(images), 1, 32, 32)
        dark = images * torch.rand(len(images), 1, 1, 1, generator=run.draws)
        return dark, torch.nn.functional.one_hot(labels, run.num_classes).float()
    def loss(self, run, inputs, targets):
        assert torch.equal(run.inputs(run.batch.pixels()), inputs)
        return cross_entropy(self.predict(run, inputs), targets)
    def predict(self, run, inputs):
        vectors = run.vectors(inputs)
        return run.head(vectors) + run.module(vectors)
"""
    assert problems(name_of(FROZEN + body)) == {}


def test_pairs_are_given_to_those_who_ask_and_to_no_others(name_of):
    body = "    def on_epoch_start(self, run):\n        next(run.pairs())\n"
    asks = "    needs = frozenset({'pairs'})\n"
    assert problems(name_of(FROZEN + asks + body)) == {}
    assert "on_epoch_start raised StopIteration" in problems(name_of(FROZEN + body))["loss is one finite number"]


def test_the_verb_prints_a_line_for_each_check_and_exits_with_one_where_any_failed(name_of, occbench_cli):
    code, out, _ = occbench_cli("validate", name_of(BROKEN["loss as a number"][0]))
    assert code == 1
    *lines, summary = out.splitlines()
    assert all(line.startswith(("ok  ", "failed  ")) for line in lines)
    assert any(line.startswith("failed  loss is one finite number: ") for line in lines)
    assert summary.endswith("checks failed.")
    code, out, _ = occbench_cli("validate", "fine_tune")
    assert code == 0
    assert "fine_tune keeps the contract" in out


def test_the_verb_takes_options(name_of, occbench_cli):
    option = "    rate: float = 2.0\n"
    body = FROZEN + option + "    def augment(self, run, images, labels):\n        return images * self.rate, labels"
    assert occbench_cli("validate", name_of(body))[0] == 1
    assert occbench_cli("validate", name_of(body), "--set", "rate=0.5")[0] == 0
    code, out, _ = occbench_cli("validate", name_of(body), "--set", "rate=fast")
    assert code == 1
    assert "rate" in out


def test_a_name_that_nothing_answers_to_is_one_failed_check(occbench_cli, tmp_path):
    for name in ("dvf", f"{tmp_path}/none.py:Mine"):
        code, out, _ = occbench_cli("validate", name)
        assert code == 1
        assert out.splitlines()[1:] == [f"{name}: 1 of 1 checks failed."]
