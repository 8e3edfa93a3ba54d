"""Weights and optimiser state on disk: the next step after loading is the one that would have been made."""

import pytest
import torch
from torch.optim import SGD, AdamW

from occbench.bench.training.states import load_state, save_state
from occbench.core.errors import DatasetError
from occbench.models.load import load_backbone

OPTIMIZERS = {
    "sgd": lambda model: SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4),
    "adamw": lambda model: AdamW(model.parameters(), lr=0.01),
}


def tiny(classes=4, seed=0):
    return load_backbone("tiny", classes, seed=seed).to(memory_format=torch.channels_last)


def step(model, optimizer, number):
    inputs = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(number))
    model.train()
    optimizer.zero_grad()
    model(inputs).square().mean().backward()
    optimizer.step()


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_the_next_steps_are_bit_identical(tmp_path, make):
    model = tiny()
    optimizer = make(model)
    for number in range(2):
        step(model, optimizer, number)
    save_state(tmp_path / "state", model, optimizer, {"epochs": "[1]"})
    loaded = tiny(seed=9)
    other = make(loaded)
    assert load_state(tmp_path / "state", loaded, other) == {"epochs": "[1]"}
    assert same(model.state_dict(), loaded.state_dict())
    for number in range(2, 4):
        step(model, optimizer, number)
        step(loaded, other, number)
    assert same(model.state_dict(), loaded.state_dict())


def test_equal_states_are_equal_files(tmp_path):
    save_state(tmp_path / "one", tiny())
    save_state(tmp_path / "two", tiny())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_no_file_is_no_state(tmp_path):
    model = tiny()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert load_state(tmp_path / "state", model) is None
    assert same(before, model.state_dict())


def test_tied_weights_are_written_apart(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    model[1].weight = model[0].weight
    save_state(tmp_path / "state", model)
    assert load_state(tmp_path / "state", model) == {}


@pytest.mark.parametrize("content", [b"", b"not a state", None], ids=["empty", "text", "cut off"])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "state"
    save_state(path, tiny())
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    with pytest.raises(DatasetError, match=r"state is damaged or of another model .*: delete it, run again"):
        load_state(path, tiny())


def test_the_state_of_another_model_is_refused(tmp_path):
    save_state(tmp_path / "state", tiny(classes=5))
    with pytest.raises(DatasetError, match="damaged or of another model"):
        load_state(tmp_path / "state", tiny(classes=4))
