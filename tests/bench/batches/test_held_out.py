"""What a method fits to outside of epochs, and when it is asked to."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest
import torch

from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.protocol.cell import cells
from occbench.bench.running.left import Left, left_of
from occbench.bench.running.run import finished_records, run_cell
from occbench.bench.scoring.predictions import read_outcomes
from occbench.bench.scoring.test_set import test_set
from occbench.bench.training.states import load_state
from occbench.bench.training.train import train
from occbench.bench.training.training_run import Prediction, Training, extend
from occbench.bench.training.untrained import untrained
from occbench.core.training import Method
from occbench.methods.fitted import Fitted

CPU = torch.device("cpu")


@pytest.fixture
def run_of(tiny_materials, make_pipeline):
    """Return a function that makes a training run of an arm."""

    def make(arm="C", trainable="all", cache=None):
        materials = tiny_materials()
        return Training(
            make_pipeline(trainable), materials, materials.benchmark.arms[arm], cache or ActivationCache(), 0
        )

    return make


@pytest.mark.parametrize("trainable", ["all", "head"])
def test_training_images_come_once_in_order_and_as_they_are(run_of, tiny_materials, make_pipeline, trainable):
    images = tiny_materials().train
    run = run_of(trainable=trainable)
    inputs, labels = [], []
    for found, own in run.examples("train"):
        assert list(run.batch.names) == list(images.keys[len(torch.cat([*inputs, found])) - len(found) :][: len(found)])
        inputs.append(found)
        labels.append(own)
    assert torch.equal(torch.cat(labels), images.labels)
    assert torch.allclose(torch.cat(inputs), make_pipeline(trainable).inputs(images.images[:]), atol=1e-5)


def test_an_arms_occluded_images_are_among_those_it_trains_on(run_of, tiny_materials):
    materials = tiny_materials()
    count = sum(len(labels) for _, labels in run_of("F").examples("train"))
    assert count == len(materials.training_images(materials.benchmark.arms["F"])) > len(materials.train)


def test_held_out_images_are_those_of_validation(run_of, tiny_materials, make_pipeline):
    materials, run = tiny_materials(), run_of()
    for part, images in (("validation", materials.validation), ("occluded_validation", materials.occluded_validation)):
        ((inputs, labels),) = run.examples(part)
        assert torch.equal(labels, images.labels)
        assert torch.equal(inputs, make_pipeline().inputs(images.images[:]))
        assert torch.equal(run.batch.pixels(), images.images[:].float())
    (clean, _), (occluded, _) = (next(run.examples(part)) for part in ("validation", "occluded_validation"))
    assert not torch.equal(clean, occluded)


def test_nothing_is_held_out_where_the_split_holds_nothing_out(tiny_materials, make_pipeline):
    materials = tiny_materials(split={
        "train_per_class": 4, "test_per_class": 2, "validation_share": 0.0, "pair_classes": 3, "pair_per_class": 2,
    })  # fmt: skip
    run = Training(make_pipeline(), materials, materials.benchmark.arms["C"], ActivationCache(), 0)
    assert list(run.examples("validation")) == []
    assert list(run.examples("occluded_validation")) == []
    assert list(Prediction(make_pipeline()).examples("train")) == []


@dataclass(frozen=True)
class Watched(Method):
    """Writes down when it is asked, and remembers the mean of the final network's training vectors."""

    trains_backbone: ClassVar[bool] = True

    calls: list = field(default_factory=list, hash=False)

    def build(self, run):
        module = Fitted(["mean"], ["gain"])
        module.put(mean=torch.zeros(run.dim), gain=torch.ones(run.dim))
        return module

    def on_training_start(self, run):
        assert not torch.is_grad_enabled()
        self.calls.append(("start", run.memory.copy(), torch.rand(1, generator=run.draws).item()))
        run.memory["note"] = 1

    def on_epoch_start(self, run):
        self.calls.append(("epoch", run.memory.copy(), 0.0))

    def loss(self, run, inputs, labels):
        from torch.nn.functional import cross_entropy

        return cross_entropy(run.head(run.vectors(inputs) * run.module.gain), labels)

    def on_training_end(self, run):
        assert not torch.is_grad_enabled()
        self.calls.append(("end", run.memory.copy(), torch.rand(1, generator=run.draws).item()))
        vectors = [run.vectors(inputs) for inputs, _ in run.examples("train")]
        run.module_of(Fitted).put(mean=torch.cat(vectors).mean(0))


def trained(make_pipeline, materials, method, folder, on_epoch=lambda _: None):
    pipeline = make_pipeline()
    extend(pipeline, method, 0)
    train(
        pipeline, method, materials.benchmark.arms["C"], materials,
        rule=materials.benchmark.train, seed=0, folder=folder, cache=ActivationCache(), on_epoch=on_epoch,
    )  # fmt: skip
    return pipeline


def test_a_method_is_asked_before_the_first_and_after_the_last_epoch(make_pipeline, tiny_materials, tmp_path):
    method, materials = Watched(), tiny_materials()
    pipeline = trained(make_pipeline, materials, method, tmp_path)
    assert [name for name, _, _ in method.calls] == ["start", "epoch", "epoch", "end"]
    assert [memory for _, memory, _ in method.calls] == [{}, {}, {}, {}]  # notes are of one call alone
    assert method.calls[0][2] != method.calls[3][2]
    pipeline.model.eval()
    with torch.no_grad():
        expected = pipeline.vectors(pipeline.inputs(materials.train.images[:])).mean(0)
    assert torch.allclose(pipeline.model.extension.mean, expected, atol=1e-5)


def test_a_resumed_training_is_not_prepared_again_and_ends_the_same(make_pipeline, tiny_materials, tmp_path):
    materials, whole, stopped = tiny_materials(), Watched(), Watched()

    class Stopped(Exception):  # noqa: N818 - as by a key
        pass

    def stop(_):
        raise Stopped

    one = trained(make_pipeline, materials, whole, tmp_path / "whole")
    with pytest.raises(Stopped):
        trained(make_pipeline, materials, stopped, tmp_path / "stopped", stop)
    other = trained(make_pipeline, materials, stopped, tmp_path / "stopped")
    assert [name for name, _, _ in stopped.calls] == ["start", "epoch", "epoch", "end"]
    assert stopped.calls[-1][2] == whole.calls[-1][2]
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name
    again = trained(make_pipeline, materials, stopped, tmp_path / "stopped")  # killed before it was stored
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name


@pytest.fixture
def cell_of(tiny_benchmark, tiny_materials):
    """Return a function that makes (cell, materials) of one method."""

    def make(**method):
        materials = tiny_materials()
        content = tiny_benchmark().model_dump(mode="json") | {"arms": {"only": {"method": method}}}
        benchmark = type(tiny_benchmark()).model_validate(content)
        return next(cells(benchmark, {}, materials.fingerprint)), replace(materials, benchmark=benchmark)

    return make


@pytest.mark.parametrize("method", [{"name": "frozen"}, {"name": "knn"}, {"name": "linear_probe"}])
def test_without_epochs_a_cell_is_fitted_scored_stored_and_found_again(cell_of, tmp_path, method):
    cell, materials = cell_of(**method)
    columns = len(test_set(materials).conditions)
    assert left_of(cell, materials, tmp_path) == Left(0, columns * len(materials.test))
    records = run_cell(cell, materials, tmp_path, ActivationCache())
    assert records
    home = tmp_path / cell.fingerprint
    assert not (home / "train").exists()
    assert finished_records(cell, materials, tmp_path) == records
    before = read_outcomes(home / "scores" / test_set(materials).fingerprint, test_set(materials).conditions).correct
    for block in (home / "scores" / test_set(materials).fingerprint).iterdir():
        block.unlink()
    run_cell(cell, materials, tmp_path, ActivationCache())  # what it learned is loaded, not fitted again
    after = read_outcomes(home / "scores" / test_set(materials).fingerprint, test_set(materials).conditions).correct
    assert (before == after).all()
    loaded = untrained(cell, materials, CPU)
    assert load_state(home / "checkpoint.safetensors", loaded.model) is not None


def test_the_frozen_network_is_the_one_that_training_starts_from(cell_of, make_pipeline, tmp_path):
    cell, materials = cell_of(name="frozen")
    run_cell(cell, materials, tmp_path, ActivationCache())
    loaded = untrained(cell, materials, CPU)
    start = {name: value.clone() for name, value in loaded.model.state_dict().items()}
    load_state(tmp_path / cell.fingerprint / "checkpoint.safetensors", loaded.model)
    assert all(torch.equal(value, start[name]) for name, value in loaded.model.state_dict().items())
    assert isinstance(loaded, Pipeline)
