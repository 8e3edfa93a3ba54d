"""Properties of reading checkpoint files, and each way in which one can fail to fit."""

import hashlib
import re

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from occbench.core.errors import ConfigError
from occbench.models.weights import load_weights, read_checkpoint


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


WRAPPED = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"epoch": 3, "state_dict": state},
    "model": lambda state: {"model": state, "optimizer": {}},
    "distributed": lambda state: {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}},
    "compiled": lambda state: {f"module._orig_mod.{name}": tensor for name, tensor in state.items()},
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_pytorch_file_loads_however_it_is_wrapped(tmp_path, wrap):
    source, target = network(), network()
    torch.save(wrap(source.state_dict()), tmp_path / "net.pth")
    load_weights(target, read_checkpoint(tmp_path / "net.pth"))
    assert same(source.state_dict(), target.state_dict())


def test_half_precision_safetensors_become_float32(tmp_path):
    file = tmp_path / "net.safetensors"
    source, target = network().half(), network()
    save_file(source.state_dict(), file)
    checkpoint = read_checkpoint(file)
    load_weights(target, checkpoint)
    assert checkpoint.tensors["0.weight"].dtype == torch.float32
    assert checkpoint.tensors["1.num_batches_tracked"].dtype == torch.int64
    assert same(source.float().state_dict(), target.state_dict())
    assert checkpoint.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_batch_counters_may_be_missing(tmp_path):
    state = {name: tensor for name, tensor in network().state_dict().items() if "num_batches" not in name}
    save_file(state, tmp_path / "old.safetensors")
    load_weights(network(), read_checkpoint(tmp_path / "old.safetensors"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: state.pop("3.bias"), "of 9 tensors, 1 missing (3.bias)."),
        (lambda state: state.update(extra=torch.zeros(1)), "1 unexpected (extra)."),
        (lambda state: state.update({"0.bias": torch.zeros(7)}), "1 of another shape (0.bias is 7 instead of 4)."),
        (
            lambda state: [state.pop(f"1.{name}") for name in ("weight", "bias", "running_mean", "running_var")],
            "4 missing (1.weight, 1.bias, 1.running_mean, ...).",
        ),
    ],
    ids=["missing", "unexpected", "shape", "many"],
)
def test_what_does_not_fit_is_counted_and_named_and_nothing_is_loaded(tmp_path, spoil, message):
    state = network().state_dict()
    spoil(state)
    torch.save(dict(state), tmp_path / "net.pth")
    target = network()
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_weights(target, read_checkpoint(tmp_path / "net.pth"))
    assert same(before, target.state_dict())


def test_unreadable_files_are_refused_in_plain_words(tmp_path):
    with pytest.raises(ConfigError, match="which is not a file"):
        read_checkpoint(tmp_path / "absent.pth")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00")
    with pytest.raises(ConfigError, match="not a readable safetensors file"):
        read_checkpoint(tmp_path / "cut.safetensors")
    (tmp_path / "text.pth").write_text("not a checkpoint")
    with pytest.raises(ConfigError, match="cannot be read as a checkpoint"):
        read_checkpoint(tmp_path / "text.pth")
    (tmp_path / "empty.pth").write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot be read as a checkpoint"):
        read_checkpoint(tmp_path / "empty.pth")
    torch.save({"epoch": 3}, tmp_path / "bare.pth")
    with pytest.raises(ConfigError, match="holds no weights by name"):
        read_checkpoint(tmp_path / "bare.pth")


def test_code_inside_a_checkpoint_is_never_run(tmp_path):
    torch.save(network(), tmp_path / "module.pth")
    with pytest.raises(ConfigError, match=r"Code inside a checkpoint is never run; save .* state_dict"):
        read_checkpoint(tmp_path / "module.pth")
