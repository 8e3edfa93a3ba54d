"""What every method promises: one table of instances, one list of properties."""

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from occbench.bench.batches.augment import Geometry
from occbench.bench.batches.batch import ImageBatch, silhouettes
from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.training.train import train
from occbench.bench.training.training_run import Prediction, extend, generator
from occbench.bench.training.validate import validate_method
from occbench.core.build import build_plugin
from occbench.core.canonical import canonical_json
from occbench.core.compose import composite_batch
from occbench.core.errors import ConfigError
from occbench.core.plugins import BUILT_IN, find_plugin
from occbench.core.tasks import MULTI_LABEL
from occbench.core.training import NEEDS, Method
from occbench.methods.dfv import DeepFeatureAugmentation

#: In place of a diffusion model, which is downloaded.
EXTRACTOR = {"extractor": f"{Path(__file__).parent / 'colour_extractor.py'}:ColourPlaces"}
#: instance -> (method, options); a new method adds a line.
INSTANCES = {
    "asl": ("asl", {}),
    "asl, both sides": ("asl", {"gamma_positive": 1.0, "margin": 0.0}),
    "compositional_net": ("compositional_net", {"kernels": 24, "mixtures": 2}),
    "compositional_net, release": ("compositional_net", {"kernels": 8, "legacy_double_softmax": True, "natural": 0}),
    "cutmix": ("cutmix", {}),
    "cutmix, some batches": ("cutmix", {"alpha": 0.5, "probability": 0.5}),
    "cutout": ("cutout", {}),
    "cutout, two small holes": ("cutout", {"holes": 2, "side": 0.2}),
    "dfv": ("dfv", {}),
    "dfv, every vector changed": ("dfv", {"alpha": 1.0, "beta": 0.5}),
    "fine_tune": ("fine_tune", {}),
    "frozen": ("frozen", {}),
    "gridmask": ("gridmask", {}),
    "gridmask, rising": ("gridmask", {"ramp_epochs": 1, "rotation_degrees": 0.0}),
    "hide_and_seek": ("hide_and_seek", {}),
    "hide_and_seek, one size": ("hide_and_seek", {"cells_px": [56], "probability": 0.3}),
    "knn": ("knn", {}),
    "knn, one neighbour": ("knn", {"neighbours": 1, "temperature": None}),
    "learn": ("learn", {}),
    "learn, few views": ("learn", {"views": 2}),
    "learn, without two terms": ("learn", {"inter": 0.0, "clean": 0.0}),
    "linear_probe": ("linear_probe", {}),
    "linear_probe, penalty given": ("linear_probe", {"l2": 0.01}),
    "mixup": ("mixup", {}),
    "msl": ("msl", {}),
    "msl, divergence": ("msl", {"laco": "kl"}),
    "msl, a bank of masks": ("msl", {"masks": 5, "recognise": 0.0}),
    "part_blackout": ("part_blackout", {}),
    "part_blackout, silhouettes": ("part_blackout", {"alpha": 0.5, "beta": 0.5}),
    "part_replace": ("part_replace", {}),
    "part_replace, silhouettes": ("part_replace", {"beta": 0.1}),
    "patch_mixing": ("patch_mixing", {}),
    "pattern_paste": ("pattern_paste", {}),
    "random_erasing": ("random_erasing", {}),
    "random_erasing, mean": ("random_erasing", {"probability": 1.0, "fill": "mean"}),
    "sd_features": ("sd_features", EXTRACTOR),
    "sd_features, add": ("sd_features", {"fusion": "add", "model": "b", **EXTRACTOR}),
    "sd_features, gated": ("sd_features", {"fusion": "gated", "timestep": 2, **EXTRACTOR}),
    "sd_inpaint": ("sd_inpaint", {}),
    "sd_inpaint, silhouettes": ("sd_inpaint", {"beta": 0.5}),
    "sdbe": ("sdbe", {}),
    "sdbe, projection": ("sdbe", {"ridge": 1.0, "residual": False}),
    "tent": ("tent", {}),
    "tent, batch by batch": ("tent", {"reset": "batch", "steps": 2}),
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
    """A run with images to fit to, and with pairs and overlays where it is given any."""

    def __init__(self, pipeline, images, pairs=(), overlays=None, seed=0):
        super().__init__(pipeline)
        self._images = images
        self.network = pipeline.model
        self.draws = generator(seed, "contract")
        self._pairs = pairs
        self._overlays = overlays

    def examples(self, part):
        self.batch = batch_of(self._images)
        yield self.inputs(self.batch.pixels()), self._images.labels[:ROWS]

    def pairs(self):
        return iter(self._pairs)

    def overlays(self):
        return self._overlays

    def occluded_inputs(self, views=0):
        """The first condition on every image."""
        images = self.batch.pixels().to(torch.uint8)
        return self.inputs(composite_batch(images, self._overlays[:1]).float())

    def masked_inputs(self, masks):
        """A black quarter, in the image that a draw names."""
        images = self.batch.pixels().clone()
        images[int(torch.randint(masks, (), generator=self.draws)), :, :16, :16] = 0
        return self.inputs(images)


@pytest.fixture(scope="module")
def overlays(tiny_materials):
    materials = tiny_materials()
    renderer = materials.pair_renderer
    drawn = [renderer.full_overlay(materials.train.examples[0], item) for item in renderer.conditions]
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2)


def batch_of(images, count=ROWS):
    """Return the images behind the first inputs."""
    rows = range(count)
    return ImageBatch(
        images.images[:count].float,
        lambda: silhouettes(images, rows, Geometry(), torch.device("cpu")),
        list(images.keys[:count]),
    )


@pytest.fixture
def built(make_pipeline, images, overlays, method):
    """Return a function that makes a network with what the method learns beside it, fitted to the images."""

    def make(trainable="all"):
        model = make_pipeline(trainable).model
        if not method.trains_backbone:
            model.freeze()
        pipeline = Pipeline(model, torch.device("cpu"), "fp32", keep_map="map" in method.needs)
        extend(pipeline, method, 0)
        pipeline.model.eval()
        run = Run(pipeline, images, pairs_of(pipeline, images), overlays)
        with torch.no_grad():
            method.on_training_start(run)
            if not method.trains_backbone:  # what trains the backbone is fitted to a trained one
                method.on_training_end(run)
        return pipeline

    return make


def pairs_of(pipeline, images):
    return [(pipeline.inputs(images.images[:1]), pipeline.inputs(images.images[1:5]))]


@pytest.fixture
def start(built, images, overlays, method):
    """Return a function that makes (run, inputs, targets) at its first batch, every time from the same weights."""

    def make(trainable="all", seed=0):
        pipeline = built(trainable)
        run = Run(pipeline, images, pairs_of(pipeline, images), overlays, seed)
        with torch.no_grad():
            method.on_epoch_start(run)
        run.network.train()
        run.batch = before = batch_of(images)
        changed, targets = method.augment(run, before.pixels(), images.labels[:ROWS].clone())
        run.batch = ImageBatch(lambda: changed, before.masks, None)
        return run, run.inputs(changed), targets

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
    assert method.needs <= NEEDS
    assert method.twins in {"", *BUILT_IN["occlusions"]}


@pytest.fixture
def trains(method):
    """Skips what is said of losses where a method never has one."""
    if not method.has_epochs:
        assert not method.trains_backbone
        pytest.skip("nothing is learned step by step")


@pytest.mark.usefixtures("trains")
@pytest.mark.parametrize("trainable", ["all", "layer4+fc", "head"])
def test_the_loss_is_a_finite_scalar_whose_gradient_reaches_what_trains(start, method, trainable):
    if method.adapts and trainable == "head":
        pytest.skip("no layer is left to adapt, which is an error of its own")
    run, inputs, labels = start(trainable)
    loss = method.loss(run, inputs, labels)
    assert loss.shape == ()
    assert loss.is_floating_point()
    assert torch.isfinite(loss)
    loss.backward()
    for half in (run.network.trunk, run.network.head, run.network.extension or nn.Module()):
        training = [weight for weight in half.parameters() if weight.requires_grad]
        assert not training or any(weight.grad is not None and weight.grad.any() for weight in training)
    assert all(weight.grad is None for weight in run.network.parameters() if not weight.requires_grad)


@pytest.mark.usefixtures("trains")
def test_the_loss_of_several_labels_is_finite_where_the_method_promises_one(built, images, overlays, method):
    """Some entries are unknown, and one image has no label at all."""
    if "multi-label" not in method.tasks:
        pytest.skip("the method is for one label an image")
    pipeline = built()
    run = Run(pipeline, images, pairs_of(pipeline, images), overlays)
    run.task = MULTI_LABEL
    with torch.no_grad():
        method.on_epoch_start(run)
    run.network.train()
    run.batch = before = batch_of(images)
    labels = torch.nn.functional.one_hot(images.labels[:ROWS], 12).float()
    labels[2] = 0
    labels[3, :2] = 1
    labels[1, 4:6] = float("nan")
    kept = labels.clone()
    changed, targets = method.augment(run, before.pixels(), labels)
    run.batch = ImageBatch(lambda: changed, before.masks, None)
    loss = method.loss(run, run.inputs(changed), targets)
    assert torch.equal(labels.nan_to_num(-1), kept.nan_to_num(-1))
    assert torch.isfinite(loss)
    loss.backward()
    halves = (run.network.trunk, run.network.head) if method.trains_backbone else (run.network.extension,)
    for half in halves:
        assert any(weight.grad is not None and weight.grad.any() for weight in half.parameters())
        assert all(torch.isfinite(weight.grad).all() for weight in half.parameters() if weight.grad is not None)


@pytest.mark.usefixtures("trains")
def test_one_step_changes_trunk_and_head(start, method):
    run, inputs, labels = start()
    before = {name: weight.detach().clone() for name, weight in run.network.named_parameters()}
    optimizer = torch.optim.SGD([one for one in run.network.parameters() if one.requires_grad], lr=0.1)
    method.loss(run, inputs, labels).backward()
    optimizer.step()
    changed = {
        name.partition(".")[0] for name, weight in run.network.named_parameters() if (weight != before[name]).any()
    }
    halves = {"trunk", "head"} if method.trains_backbone else set()
    learned = [] if run.network.extension is None else list(run.network.extension.parameters())
    assert changed == halves | ({"extension"} if learned else set())


@pytest.mark.usefixtures("trains")
def test_equal_draws_give_equal_losses_and_the_global_generator_is_left_alone(start, method):
    before = torch.random.get_rng_state()
    assert torch.equal(method.loss(*start()), method.loss(*start()))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.usefixtures("trains")
def test_inputs_and_labels_are_left_as_they_are(start, method, images):
    run, inputs, labels = start()
    kept = inputs.clone(), labels.clone()
    method.loss(run, inputs, labels)
    run.network.eval()
    run.ask(method, inputs, batch_of(images))
    assert torch.equal(inputs, kept[0])
    assert torch.equal(labels, kept[1])


def test_augment_leaves_images_and_labels_as_they_are(start, method, images):
    run, _, _ = start()
    run.batch = batch_of(images)
    given, labels = run.batch.pixels().clone(), images.labels[:ROWS].clone()
    for _ in range(3):
        changed, targets = method.augment(run, given, labels)
        assert torch.equal(given, run.batch.pixels())
        assert torch.equal(labels, images.labels[:ROWS])
        assert changed.dtype == torch.float32
        assert changed.shape == given.shape
        assert changed.min() > -0.01
        assert changed.max() < 255.01
        assert len(targets) == ROWS


@torch.no_grad()
def test_predictions_need_neither_pairs_nor_memory_and_are_each_images_own(built, images, method):
    if method.adapts:
        pytest.skip("it answers whole test columns; see tests/methods/test_tent.py")
    pipeline = built()
    inputs = pipeline.inputs(images.images[:ROWS])
    logits = Prediction(pipeline).ask(method, inputs, batch_of(images))
    assert logits.shape == (ROWS, 12)
    assert torch.isfinite(logits).all()
    assert torch.equal(Prediction(pipeline).ask(method, inputs, batch_of(images)), logits)
    assert torch.allclose(Prediction(pipeline).ask(method, inputs[:3], batch_of(images, 3)), logits[:3], atol=1e-6)


@torch.no_grad()
def test_an_untrained_method_answers_as_the_plain_network_does(built, images, method):
    """METHODS 8, item 11, and what makes arms comparable: all start from the same classifier."""
    if not method.trains_backbone or method.adapts:
        pytest.skip("its module stands between trunk and head, and every image passes through it")
    pipeline = built()
    inputs = pipeline.inputs(images.images[:ROWS])
    assert torch.equal(Prediction(pipeline).ask(method, inputs, batch_of(images)), pipeline.model(inputs))


def test_missing_pairs_are_one_clear_line(make_pipeline, images, method):
    run = Run(make_pipeline(), images)
    if not isinstance(method, DeepFeatureAugmentation):  # the others ask for the batch's own occluded images
        method.on_epoch_start(run)
        return
    with pytest.raises(ConfigError, match="needs pairs"):
        method.on_epoch_start(run)


def test_the_loop_trains_it_to_the_same_weights_twice(built, tiny_materials, method, tmp_path):
    materials = tiny_materials(train={"epochs": 1, "batch_size": 12})
    weights = []
    for number in range(2):
        pipeline = built()
        train(
            pipeline, method, materials.benchmark.arms["C"], materials,
            rule=materials.benchmark.train, seed=1, folder=tmp_path / str(number), cache=ActivationCache(),
        )  # fmt: skip
        weights.append(pipeline.model.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


@pytest.mark.parametrize("name", sorted(BUILT_IN["methods"]))
def test_occbench_validate_finds_nothing(name):
    options = EXTRACTOR if name == "sd_features" else {}
    assert [check for check in validate_method(name, options) if check.problem] == []
    assert issubclass(find_plugin("methods", name, Method), Method)
