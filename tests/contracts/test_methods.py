"""What every method promises: one table of instances, one list of properties."""

import dataclasses
import pickle

import pytest
import torch

from occbench.bench.pipeline import ActivationCache
from occbench.bench.train import train
from occbench.bench.training_run import Prediction, generator
from occbench.bench.validate import validate_method
from occbench.core.canonical import canonical_json
from occbench.core.errors import ConfigError
from occbench.core.interfaces import Method
from occbench.core.plugins import BUILT_IN, find_plugin
from occbench.data.config import build_plugin

#: instance -> (method, options); a new method adds a line.
INSTANCES = {
    "dfv": ("dfv", {}),
    "dfv, every vector changed": ("dfv", {"alpha": 1.0, "beta": 0.5}),
    "fine_tune": ("fine_tune", {}),
}
ROWS = 8


@pytest.fixture(params=INSTANCES)
def method(request):
    name, options = INSTANCES[request.param]
    return build_plugin(name, "methods", Method, options)


@pytest.fixture(scope="module")
def images(tiny_materials):
    return tiny_materials().train


class Run(Prediction):
    """A run at the start of an epoch, with pairs where it is given any."""

    def __init__(self, pipeline, pairs=(), seed=0):
        super().__init__(pipeline)
        self.network = pipeline.model
        self.draws = generator(seed, "contract")
        self._pairs = pairs

    def pairs(self):
        return iter(self._pairs)


@pytest.fixture
def start(make_pipeline, images, method):
    """Return a function that makes a run at its first batch, every time from the same weights."""

    def make(trainable="all", seed=0):
        pipeline = make_pipeline(trainable)
        pipeline.model.eval()
        run = Run(pipeline, [(pipeline.inputs(images.images[:1]), pipeline.inputs(images.images[1:5]))], seed)
        with torch.no_grad():
            method.on_epoch_start(run)
        run.network.train()
        return run, pipeline.inputs(images.images[:ROWS]), images.labels[:ROWS].clone()

    return make


def test_the_table_is_complete():
    assert {name for name, _ in INSTANCES.values()} == set(BUILT_IN["methods"])


def test_a_method_is_a_frozen_picklable_value_with_json_options(method):
    assert dataclasses.is_dataclass(method)
    with pytest.raises(dataclasses.FrozenInstanceError):
        method.anything = 1
    canonical_json(dataclasses.asdict(method))
    copy = pickle.loads(pickle.dumps(method))
    assert copy == method
    assert hash(copy) == hash(method)
    assert type(method)(**dataclasses.asdict(method)) == method


def test_it_says_what_it_is_and_needs(method):
    assert type(method).__doc__.strip()
    assert method.needs <= {"pairs", "parts"}


@pytest.mark.parametrize("trainable", ["all", "layer4+fc", "head"])
def test_the_loss_is_a_finite_scalar_whose_gradient_reaches_what_trains(start, method, trainable):
    run, inputs, labels = start(trainable)
    loss = method.loss(run, inputs, labels)
    assert loss.shape == ()
    assert loss.is_floating_point()
    assert torch.isfinite(loss)
    loss.backward()
    for half in (run.network.trunk, run.network.head):
        training = [weight for weight in half.parameters() if weight.requires_grad]
        assert not training or any(weight.grad is not None and weight.grad.any() for weight in training)
    assert all(weight.grad is None for weight in run.network.parameters() if not weight.requires_grad)


def test_one_step_changes_trunk_and_head(start, method):
    run, inputs, labels = start()
    before = {name: weight.detach().clone() for name, weight in run.network.named_parameters()}
    optimizer = torch.optim.SGD(run.network.parameters(), lr=0.1)
    method.loss(run, inputs, labels).backward()
    optimizer.step()
    changed = {
        name.partition(".")[0] for name, weight in run.network.named_parameters() if (weight != before[name]).any()
    }
    assert changed == {"trunk", "head"}


def test_equal_draws_give_equal_losses_and_the_global_generator_is_left_alone(start, method):
    before = torch.random.get_rng_state()
    assert torch.equal(method.loss(*start()), method.loss(*start()))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_inputs_and_labels_are_left_as_they_are(start, method):
    run, inputs, labels = start()
    kept = inputs.clone(), labels.clone()
    method.loss(run, inputs, labels)
    run.network.eval()
    method.predict(run, inputs)
    assert torch.equal(inputs, kept[0])
    assert torch.equal(labels, kept[1])


@torch.no_grad()
def test_predictions_need_neither_pairs_nor_memory_and_are_each_images_own(make_pipeline, images, method):
    pipeline = make_pipeline()
    pipeline.model.eval()
    inputs = pipeline.inputs(images.images[:ROWS])
    logits = method.predict(Prediction(pipeline), inputs)
    assert logits.shape == (ROWS, 12)
    assert torch.isfinite(logits).all()
    assert torch.equal(method.predict(Prediction(pipeline), inputs), logits)
    assert torch.allclose(method.predict(Prediction(pipeline), inputs[:3]), logits[:3], atol=1e-6)


def test_missing_pairs_are_one_clear_line(make_pipeline, method):
    run = Run(make_pipeline())
    if "pairs" not in method.needs:
        method.on_epoch_start(run)
        return
    with pytest.raises(ConfigError, match="needs pairs"):
        method.on_epoch_start(run)


def test_the_loop_trains_it_to_the_same_weights_twice(make_pipeline, tiny_materials, method, tmp_path):
    materials = tiny_materials()
    weights = []
    for number in range(2):
        pipeline = make_pipeline()
        train(
            pipeline, method, materials.benchmark.arms["C"], materials,
            rule=materials.benchmark.train, seed=1, folder=tmp_path / str(number), cache=ActivationCache(),
        )  # fmt: skip
        weights.append(pipeline.model.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


@pytest.mark.parametrize("name", sorted(BUILT_IN["methods"]))
def test_occbench_validate_finds_nothing(name):
    assert [check for check in validate_method(name) if check.problem] == []
    assert issubclass(find_plugin("methods", name, Method), Method)
