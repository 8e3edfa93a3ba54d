"""Tensors without a size of their own: they take that of what is put in or loaded, and optimisers keep hold of them."""

import pytest
import torch
from torch import nn

from occbench.bench.training.states import load_state, save_state
from occbench.bench.training.training_run import Prediction
from occbench.methods.fitted import Fitted, frozen_vectors, full_precision


def test_what_is_put_is_found_and_is_a_copy():
    module, values = Fitted(["labels"], ["weight"]), torch.ones(2, 3)
    weight = module.weight
    module.put(weight=values, labels=torch.tensor([4, 5]))
    values.zero_()
    assert module.weight is weight
    assert torch.equal(module.weight, torch.ones(2, 3))
    assert module.labels.dtype == torch.int64
    assert [name for name, _ in module.named_parameters()] == ["weight"]


def test_a_stored_network_loads_into_one_without_sizes(tmp_path):
    whole, empty = (nn.ModuleDict({"inner": Fitted(["labels"], ["weight"])}) for _ in range(2))
    whole["inner"].put(weight=torch.rand(3, 2, 5), labels=torch.arange(7))
    save_state(tmp_path / "state.safetensors", whole)
    optimizer = torch.optim.SGD(empty.parameters(), lr=1.0)
    load_state(tmp_path / "state.safetensors", empty)
    assert torch.equal(empty["inner"].weight, whole["inner"].weight)
    assert torch.equal(empty["inner"].labels, whole["inner"].labels)
    empty["inner"].weight.sum().backward()
    optimizer.step()  # made before the sizes were known
    assert torch.allclose(empty["inner"].weight, whole["inner"].weight - 1)


def test_vectors_of_all_batches_come_back_in_order(make_pipeline):
    class Run(Prediction):
        def examples(self, part):
            for start in {"train": (0, 2), "validation": ()}[part]:
                yield torch.full((2, 3, 32, 32), float(start)), torch.tensor([start, start + 1])

    run = Run(make_pipeline())
    vectors, labels = frozen_vectors(run, "train")
    assert labels.tolist() == [0, 1, 2, 3]
    assert vectors.shape == (4, run.dim)
    assert not vectors.requires_grad
    assert torch.equal(vectors[:2], run.vectors(torch.zeros(2, 3, 32, 32)).detach())
    empty, none = frozen_vectors(run, "validation")
    assert (empty.shape, none.shape) == ((0, run.dim), (0,))


def test_products_are_exact_inside_and_rounded_outside():
    one = torch.tensor([[1.0 + 2**-12]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (one @ torch.ones(1, 1)).item() == 1.0
        with full_precision(one):
            assert (one @ torch.ones(1, 1)).item() == 1.0 + 2**-12


def test_a_module_of_something_else_is_refused(make_pipeline):
    pipeline = make_pipeline()
    pipeline.model.extension = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="a Linear instead of its Fitted"):
        Prediction(pipeline).module_of(Fitted)
