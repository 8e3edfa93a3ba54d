"""What a method may do beside its loss: change pixels, look at the images behind a batch, learn a module of its own."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, one_hot

from occbench.bench.batches.augment import AUGMENTATIONS, Geometry
from occbench.bench.batches.batch import silhouettes
from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.images.images import ImageSet
from occbench.bench.protocol.cell import cells
from occbench.bench.running.run import run_cell, trained
from occbench.bench.training.feed import Feeder
from occbench.bench.training.train import train
from occbench.bench.training.training_run import Prediction, extend
from occbench.bench.training.untrained import untrained
from occbench.core.errors import ConfigError
from occbench.core.training import Method

CPU = torch.device("cpu")
EPOCHS = 2


@pytest.fixture(scope="module")
def silhouette_images(tiny_materials):
    """Images that are white where their parts are and black elsewhere."""
    drawn = tiny_materials().train
    examples = []
    for example in drawn.examples:
        mask = np.logical_or.reduce(list(example.parts.values()))
        examples.append(replace(example, image=np.repeat(mask[..., None], 3, axis=2).astype(np.uint8) * 255))
    return ImageSet.of(examples, drawn.labels)


@pytest.fixture
def feeder(make_pipeline, tiny_benchmark):
    """Return a function that makes a feeder of images; ``change`` is a method's augmentation."""

    def make(images, change=None, *, trainable="all", **rule):
        settings = tiny_benchmark(train={"batch_size": 12, "trainable": trainable, **rule}).train
        return Feeder(make_pipeline(trainable), images, settings, ActivationCache(), 3, change)

    return make


@pytest.fixture
def start(make_pipeline, tiny_materials, tmp_path):
    """Return a function that trains a method as a cell does, in a folder of tmp_path, and returns the pipeline."""

    def run(method, folder="run", on_epoch=lambda _: None, **rule):
        materials = tiny_materials(train={"epochs": EPOCHS, "batch_size": 12, **rule})
        pipeline = make_pipeline(materials.benchmark.train.trainable)
        extend(pipeline, method, 5)
        train(
            pipeline, method, materials.benchmark.arms["C"], materials,
            rule=materials.benchmark.train, seed=5, folder=tmp_path / folder, cache=ActivationCache(),
            on_epoch=on_epoch,
        )  # fmt: skip
        return pipeline

    return run


@dataclass(frozen=True)
class Dimmed(Method):
    """Halves the pixels and softens the targets; checks that its loss gets just these, and counts."""

    soft: bool = True
    calls: list = field(default_factory=list)
    seen: list = field(default_factory=list)

    def augment(self, run, images, labels):
        assert torch.equal(run.batch.pixels(), images)
        assert images.dtype == torch.float32
        assert 127 < images.max() < 255.01  # a weighted mean of levels rounds
        assert images.min() >= 0
        self.calls.append((run.epoch, len(images)))
        targets = 0.9 * one_hot(labels, run.num_classes) + 0.1 / run.num_classes if self.soft else labels.flip(0)
        self.seen.append((images / 2, targets))
        return self.seen[-1]

    def loss(self, run, inputs, labels):
        images, targets = self.seen[-1]
        assert labels is targets
        assert torch.equal(run.batch.pixels(), images)
        assert torch.equal(inputs, run.inputs(images))
        assert run.batch.names is None
        return cross_entropy(run.head(run.vectors(inputs)), labels)

    def predict(self, run, inputs):
        assert run.batch.pixels().max() > 128  # nobody halved these
        return super().predict(run, inputs)


@pytest.mark.parametrize("trainable", ["all", "layer4+fc"])
@pytest.mark.parametrize("soft", [True, False])
@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_what_augment_returns_is_what_the_model_is_trained_on(start, kind, soft, trainable):
    method = Dimmed(soft)
    start(method, augment=kind, trainable=trainable)
    assert method.calls == [(epoch, 12) for epoch in range(EPOCHS) for _ in range(3)]  # and never to validate or score


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_augment_is_given_the_pixels_that_the_model_would_have_seen(feeder, tiny_materials, kind):
    images = tiny_materials().train
    given = []

    def change(batch, pixels, labels):
        given.append((pixels, batch.masks(), labels))
        return pixels, labels

    with_it = list(feeder(images, change, augment=kind).batches(1))
    without = list(feeder(images, augment=kind).batches(1))
    assert len(with_it) == len(without) == 3
    for (pixels, masks, labels), one, other in zip(given, with_it, without, strict=True):
        assert pixels.dtype == torch.float32
        assert torch.equal(pixels, other.batch.pixels())
        assert torch.equal(masks, other.batch.masks())
        assert torch.equal(labels, other.targets)
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.batch.masks(), masks)


@pytest.mark.parametrize("change", [None, lambda _, pixels, labels: (pixels, labels)], ids=["plain", "augmented"])
@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_masks_move_with_the_images(feeder, silhouette_images, kind, change):
    moved = 0
    for fed in feeder(silhouette_images, change, augment=kind).batches(0):
        masks = fed.batch.masks()
        assert masks.shape == (12, 1, 32, 32)
        assert torch.allclose(255 * masks.expand(-1, 3, -1, -1), fed.batch.pixels(), atol=1e-3)
        moved += int(((masks > 0) & (masks < 1)).sum())
    assert (moved > 0) == (kind not in ("flip", "none"))  # a flip moves whole pixels


@pytest.mark.parametrize("kind", AUGMENTATIONS)
@pytest.mark.parametrize("trainable", ["all", "layer4+fc", "head"])
def test_masks_move_with_kept_views(feeder, silhouette_images, kind, trainable):
    for fed in feeder(silhouette_images, trainable=trainable, cached_views=2, augment=kind).batches(0):
        assert torch.allclose(255 * fed.batch.masks().expand(-1, 3, -1, -1), fed.batch.pixels(), atol=1e-3)


@pytest.mark.parametrize("trainable", ["all", "layer4+fc", "head"])
def test_the_pixels_of_a_kept_view_are_those_it_was_made_of_and_names_repeat_when_they_do(
    feeder, make_pipeline, tiny_materials, trainable
):
    images = tiny_materials().train
    made, pipeline = feeder(images, trainable=trainable, cached_views=2), make_pipeline(trainable)
    seen, times = {}, 0
    for epoch in range(3):
        for fed in made.batches(epoch):
            pixels = fed.batch.pixels()
            assert torch.allclose(pipeline.inputs(pixels), fed.inputs.float(), atol=0.05, rtol=0.01)  # kept in bf16
            for name, one in zip(fed.batch.names, pixels, strict=True):
                assert torch.equal(seen.setdefault(name, one), one)
                times += 1
    assert len(images) < len(seen) < times  # some come again, in two views
    assert len({one.numpy().tobytes() for one in seen.values()}) == len(seen)


def test_a_view_is_named_by_all_that_decides_it(feeder, tiny_materials):
    """Arms share what is kept under names: other images behind these, or another augmentation, are other views."""
    images = tiny_materials().train
    sets = {"alone": images, "with others": images.joined(images)}  # 36 images end within a block, 72 do not
    pixels = {}
    for count in (10, 12):
        for kind in ("flip_affine", "random_resized_crop"):
            for some in sets.values():
                made = feeder(some, cached_views=2, augment=kind, batch_size=count)
                for fed in (fed for epoch in range(2) for fed in made.batches(epoch)):
                    for name, one in zip(fed.batch.names, fed.batch.pixels(), strict=True):
                        assert torch.equal(pixels.setdefault(name, one), one), name
    assert len(pixels) > 2 * 2 * 2 * len(images)


def test_views_without_frozen_stages_and_an_augmentation_of_the_methods_own_go_together(start, feeder, tiny_materials):
    method = Dimmed()
    start(method, cached_views=2)
    assert len(method.calls) == EPOCHS * 3
    fed = list(feeder(tiny_materials().train, lambda _, pixels, labels: (pixels, labels), cached_views=2).batches(0))
    plain = list(feeder(tiny_materials().train, cached_views=2).batches(0))
    assert all(torch.equal(one.inputs, other.inputs) for one, other in zip(fed, plain, strict=True))
    assert all(one.batch.names is None for one in fed)
    assert all(other.batch.names is not None for other in plain)


def test_images_are_named_where_they_come_again_and_only_there(feeder, tiny_materials):
    images = tiny_materials().train
    named = [name for fed in feeder(images, augment="none").batches(0) for name in fed.batch.names]
    assert len(set(named)) == len(named)
    assert set(named) <= set(images.keys)
    assert all(fed.batch.names is None for fed in feeder(images).batches(0))
    changed = feeder(images, lambda _, pixels, labels: (pixels / 2, labels), augment="none")
    assert all(fed.batch.names is None for fed in changed.batches(0))


def test_kept_views_and_an_augmentation_of_the_methods_own_are_one_clear_line(start):
    with pytest.raises(ConfigError, match=r"cached_views is 2, and the method changes the pixels.*cached_views=0") as e:
        start(Dimmed(), trainable="layer4+fc", cached_views=2)
    assert "\n" not in str(e.value)


def test_a_silhouette_is_the_union_of_the_parts_or_else_the_object(tiny_materials):
    images = tiny_materials().train
    first = images.examples[0]
    names = list(first.parts)
    examples = [
        replace(first, parts={name: first.parts[name] for name in names[:2]}),
        replace(first, parts={}),
        replace(first, parts={}, object_mask=None, key="bare"),
    ]
    some = ImageSet.of(examples, images.labels[[0, 0, 0]])
    union, whole = silhouettes(some, [0, 1], Geometry(), CPU)[:, 0].bool().numpy()
    assert (union == (first.parts[names[0]] | first.parts[names[1]])).all()
    assert (whole == first.object_mask).all()
    assert (union != whole).any()
    with pytest.raises(ConfigError, match=r"the image bare has neither part masks nor .*beta to 0"):
        silhouettes(some, [1, 2], Geometry(), CPU)


@dataclass(frozen=True)
class Adapter(Method):
    """A linear layer with dropout and BatchNorm beside the head: weights, buffers and draws of an extension."""

    def build(self, run):
        return nn.Sequential(nn.BatchNorm1d(run.dim), nn.Dropout(0.5), nn.Linear(run.dim, run.num_classes))

    def loss(self, run, inputs, labels):
        return cross_entropy(self.predict(run, inputs), labels)

    def predict(self, run, inputs):
        vectors = run.vectors(inputs)
        return run.head(vectors) + run.module(vectors)


def stop(_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_an_extension_is_trained_and_resumed_bit_for_bit(start, make_pipeline, tmp_path, bytes_of, optimizer):
    fresh = make_pipeline()
    extend(fresh, Adapter(), 5)
    whole = start(Adapter(), "whole", optimizer=optimizer).model
    with pytest.raises(KeyboardInterrupt):
        start(Adapter(), "stopped", stop, optimizer=optimizer)
    torch.rand(3)  # as it would stand in a new process
    resumed = start(Adapter(), "stopped", optimizer=optimizer).model
    assert bytes_of(tmp_path / "stopped") == bytes_of(tmp_path / "whole")
    state, untouched = whole.extension.state_dict(), fresh.model.extension.state_dict()
    assert all(torch.equal(value, resumed.extension.state_dict()[name]) for name, value in state.items())
    assert all(not torch.equal(value, untouched[name]) for name, value in state.items())


def test_an_extension_starts_from_the_seed_and_leaves_the_global_generator_alone(make_pipeline):
    def first(seed):
        pipeline = make_pipeline()
        before = torch.random.get_rng_state()
        extend(pipeline, Adapter(), seed)
        assert torch.equal(torch.random.get_rng_state(), before)
        return pipeline.model.extension[2].weight

    assert torch.equal(first(0), first(0))
    assert not torch.equal(first(0), first(1))


def test_a_method_without_a_module_is_told_so(make_pipeline):
    with pytest.raises(ConfigError, match=r"asks for run.module.*return a module from build"):
        _ = Prediction(make_pipeline()).module


FILE = '''
"""A method with everything: an extension, an augmentation, and a look at the batch when it predicts."""
from dataclasses import dataclass
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from occbench.core.training import Method

@dataclass(frozen=True)
class Whole(Method):
    augmented: bool = True

    def build(self, run):
        return nn.Linear(run.dim, run.num_classes)

    def augment(self, run, images, labels):
        return images * torch.rand(len(images), 1, 1, 1, generator=run.draws), labels

    def loss(self, run, inputs, labels):
        vectors = run.vectors(inputs)
        return cross_entropy(run.head(vectors) + run.module(vectors), labels)

    def predict(self, run, inputs):
        assert torch.equal(run.inputs(run.batch.pixels()), inputs)
        assert len(run.batch.names) == len(inputs) == len(run.batch.masks())
        assert all(name.partition("~")[2].startswith(("test-", "validation-")) for name in run.batch.names)
        vectors = run.vectors(inputs)
        return run.head(vectors) + run.module(vectors)
'''


@pytest.fixture
def cell_of(tmp_path, tiny_materials):
    """Return a function from changes of the benchmark to (cell of the method in FILE, materials)."""
    (tmp_path / "whole.py").write_text(FILE)

    def make(**changes):
        arms = {"W": {"method": {"name": f"{tmp_path / 'whole.py'}:Whole"}}}
        materials = tiny_materials(arms=arms, **changes)
        wanted = [cell for cell in cells(materials.benchmark, {}, materials.fingerprint) if cell.arm_name == "W"]
        return wanted[0], materials

    return make


@pytest.mark.parametrize("trainable", ["all", "layer4+fc"])
def test_a_cell_with_an_extension_is_stored_and_loaded_again_for_scoring(cell_of, tmp_path, trainable):
    cell, materials = cell_of(train={"epochs": 1, "batch_size": 12, "trainable": trainable})
    run_cell(cell, materials, tmp_path / "runs", ActivationCache())
    again = trained(cell, materials, tmp_path / "runs", ActivationCache(), None, CPU).model  # nobody is told: it loads
    start = untrained(cell, materials, CPU).model
    assert not torch.equal(again.extension.weight, start.extension.weight)
    other, _ = cell_of(train={"epochs": 1, "batch_size": 12, "trainable": trainable})
    home = tmp_path / "runs" / other.fingerprint
    before = sorted(path.read_bytes() for path in (home / "scores").rglob("*.parquet"))
    for path in [home / "manifest.json", *(home / "scores").rglob("*.parquet")]:
        path.unlink()
    run_cell(other, materials, tmp_path / "runs", ActivationCache())
    assert sorted(path.read_bytes() for path in (home / "scores").rglob("*.parquet")) == before


def test_an_extension_is_kept_out_of_the_warm_up(cell_of, tmp_path):
    cell, materials = cell_of(train={"epochs": 1, "batch_size": 12})
    cell = replace(cell, benchmark=cell.benchmark.model_copy(update={"warm_up": cell.benchmark.train}))
    run_cell(cell, materials, tmp_path / "runs", ActivationCache())
    warm = trained(cell.warm_up, materials, tmp_path / "runs", ActivationCache(), None, CPU).model
    assert warm.extension is None
    started, fresh = (untrained(cell, materials, CPU).model for _ in range(2))
    started.start_from(warm)
    assert torch.equal(started.extension.weight, fresh.extension.weight)
    assert torch.equal(started.head.weight, warm.head.weight)
    assert not torch.equal(started.head.weight, fresh.head.weight)


def test_statistics_are_held_and_let_go_again(make_pipeline, tiny_materials):
    pipeline = make_pipeline("layer4+fc")
    run, model = Prediction(pipeline), pipeline.model.train()
    modes = [layer.training for layer in model.modules()]
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    inputs = run.inputs(tiny_materials().train.images[:6])
    with run.held_statistics():
        held = run.vectors(inputs)
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())
    assert [layer.training for layer in model.modules()] == modes
    model.eval()
    assert torch.equal(held, run.vectors(inputs))
    model.train()
    assert not torch.equal(held, run.vectors(inputs))
    assert not all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())
    with pytest.raises(RuntimeError, match="gone"), run.held_statistics():
        raise RuntimeError("gone")
    assert [layer.training for layer in model.modules()] == modes


@pytest.mark.parametrize("name", ["tiny", "torchvision/resnet18"])
def test_the_mean_pixel_is_what_the_model_sees_as_zero(make_pipeline, name):
    run = Prediction(make_pipeline(name=name))
    assert run.mean_pixel.shape == (3,)
    assert run.mean_pixel.min() > 100
    assert run.inputs(run.mean_pixel[None, :, None, None].expand(2, 3, 32, 32)).abs().max() < 1e-6
