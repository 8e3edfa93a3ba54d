"""Augmentations that mix images: labels are mixed by exactly the share of pixels (METHODS 8, item 12)."""

import pytest
import torch
from torch.nn.functional import one_hot

from occbench.bench.training.training_run import Prediction, generator
from occbench.core.training import Method
from occbench.methods.cutmix import CutMix
from occbench.methods.mixup import Mixup
from occbench.methods.patch_mixing import PatchMixing

COUNT, CLASSES = 10, 12
LABELS = torch.tensor([3, 3, 0, 7, 11, 5, 5, 1, 0, 9])
LEVELS = 20.0 * torch.arange(1, COUNT + 1)  # every image has a colour of its own


@pytest.fixture(scope="module")
def pipeline(make_pipeline):
    return make_pipeline()


def mixed(pipeline, method, seed=0, side=64):
    """Return (images, targets) of a batch of images of one colour each."""
    run = Prediction(pipeline)
    run.draws = generator(seed, "mixing")
    images, labels = LEVELS[:, None, None, None].expand(-1, 3, side, side).clone(), LABELS.clone()
    state = torch.random.get_rng_state()
    changed, targets = method.augment(run, images, labels)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(images[:, 0, 0, 0], LEVELS)
    assert torch.equal(labels, LABELS)
    return changed, targets


def shares(changed):
    """Return float[COUNT, COUNT]: which share of image i has the colour of image j."""
    return (changed[:, None, 0] == LEVELS[None, :, None, None]).float().mean((2, 3))


@pytest.mark.parametrize("method", [CutMix(), CutMix(alpha=0.3), PatchMixing(), PatchMixing(20, 1.0)], ids=repr)
def test_targets_are_the_shares_of_pixels_exactly(pipeline, method):
    for seed in range(15):
        changed, targets = mixed(pipeline, method, seed)
        found = shares(changed)
        assert torch.allclose(found.sum(1), torch.ones(COUNT), atol=1e-6)  # whole pixels of the one or the other
        assert targets.dtype == torch.float32
        assert torch.allclose(targets, found @ one_hot(LABELS, CLASSES).float(), atol=1e-6)


def test_cutmix_pastes_one_box_of_one_other_image(pipeline):
    for seed in range(20):
        changed, _ = mixed(pipeline, CutMix(), seed)
        foreign = changed[:, 0] != LEVELS[:, None, None]
        assert torch.equal(foreign, foreign[:1].expand_as(foreign))  # the same box in every image
        rows, columns = foreign[0].any(1), foreign[0].any(0)
        assert torch.equal(foreign[0], rows[:, None] & columns)
        assert ((shares(changed) > 0).sum(1) <= 2).all()


def test_the_pasted_share_of_cutmix_is_what_its_formula_says(pipeline):
    pasted = torch.tensor([1 - shares(mixed(pipeline, CutMix(), seed)[0])[0, 0] for seed in range(400)])
    assert abs(pasted.mean().item() - 0.32) < 4 * pasted.std().item() / 20 + 0.01
    assert pasted.max() > 0.75
    assert pasted.min() < 0.02


def test_the_replaced_share_of_patch_mixing_is_what_its_formula_says(pipeline):
    replaced = torch.cat([1 - shares(mixed(pipeline, PatchMixing(), seed)[0]).diagonal() for seed in range(100)])
    own = 1 / COUNT  # an image that is its own partner
    assert abs(replaced.mean().item() - 0.25 * (1 - own)) < 0.02
    assert replaced.max() < 0.52


def test_patch_mixing_replaces_whole_cells_drawn_for_each_image(pipeline):
    changed, _ = mixed(pipeline, PatchMixing(cell_px=28), side=64)  # 8 px
    foreign = changed[:, 0] != LEVELS[:, None, None]
    cells = foreign[:, ::8, ::8]
    assert torch.equal(foreign, cells.repeat_interleave(8, 1).repeat_interleave(8, 2))
    assert len({one.numpy().tobytes() for one in cells}) > 5


def test_mixup_mixes_pixels_and_labels_by_one_lambda(pipeline):
    weights = []
    for seed in range(200):
        changed, targets = mixed(pipeline, Mixup(alpha=1.0), seed, side=8)
        partner = LEVELS.roll(1)
        weight = ((changed[:, 0, 0, 0] - partner) / (LEVELS - partner)).mean().item()
        labels = one_hot(LABELS, CLASSES).float()
        assert torch.allclose(targets, weight * labels + (1 - weight) * labels.roll(1, 0), atol=1e-4)
        assert torch.allclose(changed, changed[:, :1, :1, :1].expand_as(changed))
        weights.append(weight)
    found = torch.tensor(weights)
    assert abs(found.mean().item() - 0.5) < 0.08  # Beta(1, 1) is uniform
    assert abs(found.std().item() - 12**-0.5) < 0.04
    low = torch.tensor([(mixed(pipeline, Mixup(), seed, 8)[1].amax(1)).mean().item() for seed in range(60)])
    assert low.mean() > 0.85  # Beta(0.2, 0.2) leaves most images nearly alone


@pytest.mark.parametrize("kind", [CutMix, Mixup])
def test_a_share_of_the_batches_is_left_alone(pipeline, kind):
    whole = [torch.equal(mixed(pipeline, kind(probability=0.25), seed, 8)[1], LABELS) for seed in range(300)]
    assert abs(sum(whole) / 300 - 0.75) < 0.1
    assert torch.equal(mixed(pipeline, kind(probability=0.0))[1], LABELS)
    assert mixed(pipeline, kind())[1].shape == (COUNT, CLASSES)


@pytest.mark.parametrize("method", [CutMix(), Mixup(), PatchMixing()], ids=repr)
def test_draws_decide_and_nothing_is_mixed_to_predict(pipeline, method):
    one, same, other = (mixed(pipeline, method, seed) for seed in (1, 1, 2))
    assert all(torch.equal(left, right) for left, right in zip(one, same, strict=True))
    assert not torch.equal(one[0], other[0])
    assert type(method).predict is Method.predict
