"""The training loop: the same weights bit for bit whatever happened in between, and nothing frozen that moves.

Covers these typical mistakes of METHODS 2.8: 1 and 4 (when and how difference vectors are taken), 6 (what the optimiser
holds), 9 (frozen statistics) and 10 (choosing the epoch on the test patterns).
"""

import itertools
import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

import occbench.bench.training.train as module
from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.training.optimizer import make_optimizer, make_schedule
from occbench.bench.training.train import train
from occbench.bench.training.training_run import generator
from occbench.core.errors import ConfigError, DatasetError
from occbench.core.training import Method
from occbench.methods.dfv import DeepFeatureAugmentation
from occbench.methods.fine_tune import FineTune

#: Every kind of draw at once: order, augmentation, the method's own, momentum, a schedule with warm-up.
EPOCHS = 3
SETTINGS = {"train": {"epochs": EPOCHS, "batch_size": 12, "warmup_epochs": 1}}


@pytest.fixture(scope="module")
def materials(tiny_materials):
    return tiny_materials(**SETTINGS)


@pytest.fixture
def start(make_pipeline, tmp_path):
    """Return a function that trains in a folder of tmp_path and returns the pipeline."""

    def run(materials, folder="run", *, method=None, arm="C-Full", pipeline=None, **options):
        pipeline = pipeline or make_pipeline(materials.benchmark.train.trainable)
        chosen = materials.benchmark.arms[arm]
        options = {"rule": materials.benchmark.train, "seed": 5, "cache": ActivationCache(), **options}
        train(pipeline, method or chosen.build(), chosen, materials, folder=tmp_path / folder, **options)
        return pipeline

    return run


def with_dropout(pipeline):
    """Put dropout in front of the head: it draws from torch's global generator."""
    pipeline.model.head = nn.Sequential(nn.Dropout(0.5), pipeline.model.head)
    return pipeline


def stop_after(epoch):
    def look(entry):
        if entry.epoch == epoch:
            raise KeyboardInterrupt

    return look


def test_two_runs_are_the_same_files(start, materials, tmp_path, bytes_of):
    start(materials, "one")
    start(materials, "two")
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    assert sorted(bytes_of(tmp_path / "one")) == ["best.safetensors", "curves.csv", "last.safetensors"]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("epoch", range(EPOCHS))
def test_a_run_stopped_after_any_epoch_ends_in_the_same_files(
    start, tiny_materials, make_pipeline, tmp_path, bytes_of, epoch, optimizer
):
    materials = tiny_materials(train={**SETTINGS["train"], "optimizer": optimizer})
    whole = start(materials, "whole", pipeline=with_dropout(make_pipeline()))
    with pytest.raises(KeyboardInterrupt):
        start(materials, "stopped", pipeline=with_dropout(make_pipeline()), on_epoch=stop_after(epoch))
    seen = []
    torch.rand(3)  # the global generator stands elsewhere now, as it would in a new process
    resumed = start(materials, "stopped", pipeline=with_dropout(make_pipeline()), on_epoch=seen.append)
    assert [entry.epoch for entry in seen] == list(range(epoch + 1, EPOCHS))
    assert bytes_of(tmp_path / "stopped") == bytes_of(tmp_path / "whole")
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


KILLED = """
import os, signal, sys
import torch
from pathlib import Path
from occbench.bench.images.materials import load_materials
from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.protocol.benchmark import Benchmark
from occbench.bench.training.train import train
from occbench.models.load import load_backbone

torch.set_num_threads(int(sys.argv[3]))
benchmark = Benchmark.model_validate_json(sys.argv[1])
materials = load_materials(benchmark, benchmark.source_at(""))
arm = benchmark.arms["C-Full"]
pipeline = Pipeline(load_backbone("tiny", 12).to(memory_format=torch.channels_last), torch.device("cpu"), "fp32")
train(
    pipeline, arm.build(), arm, materials, rule=benchmark.train, seed=5, folder=Path(sys.argv[2]),
    cache=ActivationCache(),
    on_epoch=lambda epoch: os.kill(os.getpid(), signal.SIGKILL) if epoch.epoch == 1 else None,
)
"""


def test_a_killed_process_loses_at_most_an_epoch(start, materials, tmp_path, bytes_of):
    start(materials, "whole")
    arguments = [materials.benchmark.model_dump_json(), str(tmp_path / "killed"), str(torch.get_num_threads())]
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False, env=dict(os.environ))
    assert ended.returncode == -signal.SIGKILL
    assert (tmp_path / "killed" / "last.safetensors").is_file()
    seen = []
    start(materials, "killed", on_epoch=seen.append)
    assert [entry.epoch for entry in seen] == [2]
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")


def test_a_finished_run_is_not_trained_again(start, materials, tmp_path, snapshot):
    one = start(materials)
    before = snapshot(tmp_path / "run")
    other = start(materials, on_epoch=stop_after(0))
    assert snapshot(tmp_path / "run") == before
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name


def test_a_missing_best_epoch_is_not_replaced_by_the_last_one_silently(start, materials, tmp_path):
    start(materials)
    (tmp_path / "run" / "best.safetensors").unlink()
    with pytest.raises(DatasetError, match=r"best.safetensors is missing.*delete .*run and run again"):
        start(materials)


def test_the_global_generator_is_where_it_was(start, materials):
    before = torch.random.get_rng_state()
    start(materials)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_seed_and_the_epoch_change_the_draws():
    named = [(0, "order", 0), (0, "order", 1), (0, "augment", 0), (1, "order", 0)]
    first = [torch.rand(4, generator=generator(*names)).tolist() for names in named]
    assert [torch.rand(4, generator=generator(*names)).tolist() for names in named] == first
    assert len({tuple(values) for values in first}) == len(named)


@pytest.mark.parametrize("share", [0.25, 0])
def test_the_best_validation_epoch_is_kept_and_the_last_without_validation(start, tiny_materials, make_pipeline, share):
    """Mistake 10: the epoch is chosen on held-out training images."""
    pipeline, scores, states = make_pipeline(), [], []

    def look(entry):
        scores.append(entry.score)
        states.append({name: value.clone() for name, value in pipeline.model.state_dict().items()})

    start(tiny_materials(**SETTINGS, split={"validation_share": share}), pipeline=pipeline, on_epoch=look)
    assert all(math.isnan(score) == (share == 0) for score in scores)
    kept = max(range(EPOCHS), key=lambda epoch: (scores[epoch] if share else 0, epoch))
    assert all(torch.equal(value, states[kept][name]) for name, value in pipeline.model.state_dict().items())
    assert not all(torch.equal(value, states[0][name]) for name, value in states[1].items())


def test_validation_images_and_random_places_are_not_the_tests(materials):
    """Mistake 10: a held-out split of the training images and a draw of places of its own."""
    assert not set(materials.validation.keys) & (set(materials.test.keys) | set(materials.train.keys))
    assert not set(materials.validation.keys) & set(materials.pairs.keys)
    occluded = materials.occluded_validation
    assert len(occluded) == len(materials.validation)
    clean = {example.key: example for example in materials.validation.examples}
    at_a_test_place = 0
    for example in occluded.examples:
        made = [
            materials.renderer.render(clean[example.key], item)[0]
            for item in materials.renderer.conditions
            if item.group.endswith("r")
        ]
        at_a_test_place += any((example.image == other).all() for other in made)
    # few random places fit into 32 px, so a few fall together; with the test's draw half of the images would
    assert at_a_test_place <= len(occluded) // 4


@pytest.mark.parametrize("trainable", ["layer4+fc", "head"])
def test_what_is_frozen_does_not_move_in_an_epoch(start, make_pipeline, tiny_materials, trainable):
    """Mistake 9: weights and BatchNorm statistics of frozen stages."""
    materials = tiny_materials(train={**SETTINGS["train"], "epochs": 1, "trainable": trainable})
    pipeline = make_pipeline(trainable)
    before = {name: value.clone() for name, value in pipeline.model.state_dict().items()}
    frozen = {f"trunk.{name}" for name in _frozen_names(pipeline.model)}
    start(materials, pipeline=pipeline)
    moved = {name for name, value in pipeline.model.state_dict().items() if not torch.equal(before[name], value)}
    assert frozen
    assert moved
    assert not moved & frozen


def _frozen_names(model):
    stages = dict(model.trunk.stages.named_children())
    return [
        f"stages.{stage}.{name}"
        for stage, layer in stages.items()
        if not any(weight.requires_grad for weight in layer.parameters())
        for name in layer.state_dict()
    ]


@pytest.mark.parametrize("trainable", ["all", "layer4+fc"])
def test_the_optimiser_holds_what_trains_once_and_nothing_else(make_pipeline, tiny_benchmark, trainable):
    """Mistake 6: parameters of a copy of the network in the optimiser."""
    pipeline = make_pipeline(trainable)
    groups = make_optimizer(pipeline, tiny_benchmark().train).param_groups
    held = [id(weight) for group in groups for weight in group["params"]]
    assert sorted(held) == sorted(id(weight) for weight in pipeline.model.parameters() if weight.requires_grad)
    assert {group["name"]: group["lr"] for group in groups} == {"trunk": 1e-3, "head": 1e-2}


@dataclass(frozen=True)
class Watched(Method):
    """Deep feature augmentation that notes what it sees."""

    seen: list = field(default_factory=list)
    inner = DeepFeatureAugmentation()

    def on_epoch_start(self, run):
        network = run._pipeline.model
        assert not torch.is_grad_enabled()
        assert not any(layer.training for layer in network.modules())
        assert run.memory == {}
        before = {name: value.clone() for name, value in network.state_dict().items()}
        self.inner.on_epoch_start(run)
        assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
        self.seen.append([])

    def loss(self, run, inputs, labels):
        assert run._pipeline.model.training
        self.seen[-1].append(run.memory["difference_vectors"].clone())
        return self.inner.loss(run, inputs, labels)


def test_difference_vectors_are_taken_anew_at_every_epoch_and_only_there(start, materials):
    """Mistakes 1 and 4: taken in training mode; taken once from the first weights, or at every step."""
    method = Watched()
    start(materials, method=method)
    assert len(method.seen) == EPOCHS
    for tables in method.seen:
        assert len(tables) == len(materials.train) // 12
        assert tables[0].shape == (len(materials.pairs) * 6, 128)
        assert all(torch.equal(table, tables[0]) for table in tables)
    firsts = [tables[0] for tables in method.seen]
    assert not torch.equal(firsts[0], firsts[1])
    assert not torch.equal(firsts[1], firsts[2])


def test_pairs_are_the_clean_image_and_its_twins_in_order_never_augmented(make_pipeline, materials):
    """Mistakes 2 and 8: both members prepared alike, nothing augmented."""
    for trainable in ("all", "layer4+fc"):
        pipeline, arm = make_pipeline(trainable), materials.benchmark.arms["C-Full"]
        pipeline.model.eval()
        run = module.Training(pipeline, materials, arm, ActivationCache(), 0)
        for _ in range(2):  # the second time from the cache where there is one
            found = list(run.pairs())
            assert len(found) == len(materials.pairs)
            for (clean, occluded), example in zip(found, materials.pairs.examples, strict=True):
                images = [example.image]
                images += [materials.pair_renderer.render(example, item)[0] for item in materials.pair_conditions(arm)]
                pixels = torch.stack([torch.from_numpy(image.copy()).permute(2, 0, 1) for image in images])
                assert torch.equal(torch.cat([clean, occluded]), pipeline.inputs(pixels))


def test_an_arm_may_take_its_pairs_from_some_groups_alone(tiny_materials):
    arms = {"10C": {"method": {"name": "dfv"}, "pair_groups": ["20c"]}, "X": {
        "method": {"name": "dfv"}, "pair_groups": ["30c"]}}  # fmt: skip
    materials = tiny_materials(arms=arms)
    assert {item.group for item in materials.pair_conditions(materials.benchmark.arms["10C"])} == {"20c"}
    with pytest.raises(ConfigError, match="pair_groups asks for 30c, the pairs have the groups 20c, 20r"):
        materials.pair_conditions(materials.benchmark.arms["X"])


def test_occluded_twins_join_the_training_images_with_their_labels_and_keys_of_their_own(materials):
    images = materials.training_images(materials.benchmark.arms["F"])
    added = len(materials.pairs) * len(materials.pair_renderer.conditions)
    assert len(images) == len(materials.train) + added == len(set(images.keys))
    assert images.labels[len(materials.train) :].tolist() == materials.pairs.labels.repeat_interleave(6).tolist()
    assert torch.equal(images.images[: len(materials.train)], materials.train.images[:])
    for row, example in zip(
        images.images[len(materials.train) :], images.examples[len(materials.train) :], strict=True
    ):
        assert (row.permute(1, 2, 0).numpy() == example.image).all()


def test_cached_views_are_shared_by_arms_and_never_mixed_up(start, tiny_materials, make_pipeline):
    """Arms with twins of other patterns take other activations from one cache, and give what each gives alone."""
    groups = {"F20c": ["20c"], "F20r": ["20r"]}
    arms = {
        name: {"method": {"name": "fine_tune"}, "add_occluded": True, "pair_groups": group}
        for name, group in groups.items()
    }
    materials = tiny_materials(
        arms=arms, train={"epochs": 1, "batch_size": 12, "trainable": "layer4+fc", "cached_views": 2}
    )
    shared = ActivationCache()
    for name in groups:
        together = start(materials, f"shared-{name}", arm=name, cache=shared).model.state_dict()
        alone = start(materials, f"alone-{name}", arm=name).model.state_dict()
        assert all(torch.equal(value, alone[key]) for key, value in together.items()), name


@dataclass(frozen=True)
class Diverging(Method):
    """A loss that is no number from the second epoch on."""

    def loss(self, run, inputs, labels):
        found = FineTune().loss(run, inputs, labels)
        return found * float("nan") if run.epoch else found


def test_a_loss_that_is_no_number_is_one_clear_line_and_finished_epochs_are_kept(start, materials, tmp_path):
    with pytest.raises(ConfigError, match=r"loss became nan in epoch 2 .*Lower the learning rates.*are kept"):
        start(materials, method=Diverging())
    assert (tmp_path / "run" / "curves.csv").read_text().count("\n") == 2
    saved = module.load_state(tmp_path / "run" / "last.safetensors", start(materials, "other").model)
    assert [entry["epoch"] for entry in json.loads(saved["epochs"])] == [0]


def test_the_exclusive_protocol_refuses_to_train_on_its_pairs(tiny_materials):
    materials = tiny_materials(split={"protocol": "exclusive"})
    with pytest.raises(ConfigError, match=r"add_occluded .* exclusive protocol"):
        materials.training_images(materials.benchmark.arms["F"])


def test_the_learning_rate_warms_up_and_falls_to_zero(make_pipeline, tiny_benchmark):
    rule = tiny_benchmark(**SETTINGS).train
    optimizer = make_optimizer(make_pipeline(), rule)
    schedule = make_schedule(optimizer, rule, 10)
    rates = []
    for step in range(30):
        schedule.step_update(step)
        rates.append(optimizer.param_groups[1]["lr"])
    assert rates[0] == 0
    assert max(rates) == rates[10] <= 1e-2
    assert all(one <= other for one, other in itertools.pairwise(rates[:11]))
    assert all(one >= other for one, other in itertools.pairwise(rates[10:]))
    assert rates[-1] < 1e-4
