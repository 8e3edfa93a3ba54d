"""Augmentations that hide pixels: which, how many on average, and never one more.

Covers METHODS 8, item 12, with bench/test_hooks: what hides is off when a model is validated or scored.
"""

import math

import pytest
import torch

from occbench.bench.training.training_run import Prediction, generator
from occbench.core.training import Method
from occbench.methods.cutout import Cutout
from occbench.methods.gridmask import GridMask
from occbench.methods.hidden_pixels import scaled_px
from occbench.methods.hide_and_seek import HideAndSeek
from occbench.methods.random_erasing import RandomErasing

#: method -> expected hidden share of an image, by the formula of its docstring.
EXPECTED = {
    Cutout(): (0.5 - 0.5**2 / 4) ** 2,
    Cutout(side=0.25): (0.25 - 0.25**2 / 4) ** 2,
    RandomErasing(): 0.5 * 0.21,
    RandomErasing(probability=1.0, smallest=0.3, largest=0.9, fill="mean"): 0.6,
    HideAndSeek(): 0.4,
    HideAndSeek(cells_px=(32,), probability=0.25): 0.25,
    GridMask(): 0.8 * 0.4**2,
    GridMask(ratio=0.5, probability=1.0, rotation_degrees=0.0): 0.25,
}
LEVEL = 200.0  # of every image; no mean pixel


@pytest.fixture(scope="module")
def pipeline(make_pipeline):
    return make_pipeline()


def augmented(pipeline, method, count=500, side=64, seed=0, epoch=0):
    """Return (images, hidden: bool[count, side, side]) of images of one colour, and check all but where it hides."""
    run = Prediction(pipeline)
    run.draws, run.epoch = generator(seed, "hiding"), epoch
    images, labels = torch.full((count, 3, side, side), LEVEL), torch.arange(count) % 12
    kept = images.clone()
    changed, targets = method.augment(run, images, labels)
    assert torch.equal(images, kept)
    assert targets is labels
    hidden = (changed != LEVEL).any(1)
    if getattr(method, "fill", "mean") == "mean":
        assert torch.equal(changed, torch.where(hidden[:, None], run.mean_pixel[None, :, None, None], images))
    return changed, hidden


@pytest.mark.parametrize(("method", "share"), EXPECTED.items(), ids=str)
def test_the_hidden_share_is_what_the_formula_says(pipeline, method, share):
    shares = augmented(pipeline, method)[1].float().mean((1, 2))
    sigma = shares.std().item() / len(shares) ** 0.5
    assert abs(shares.mean().item() - share) < 4 * sigma + 0.006  # lengths are whole pixels


@pytest.mark.parametrize("method", EXPECTED, ids=str)
def test_draws_decide_and_every_image_has_its_own(pipeline, method):
    first, again, other = (augmented(pipeline, method, 40, seed=seed)[1] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({one.numpy().tobytes() for one in first}) > 10


@pytest.mark.parametrize("method", EXPECTED, ids=str)
def test_nothing_is_hidden_to_predict(method):
    assert type(method).predict is Method.predict
    assert type(method).loss is Method.loss


def box_of(hidden):
    """Return (top, left, height, width) of what is hidden of an image, after checking that it is a whole rectangle."""
    rows, columns = hidden.any(1).nonzero()[:, 0], hidden.any(0).nonzero()[:, 0]
    top, left = rows[0].item(), columns[0].item()
    height, width = len(rows), len(columns)
    assert hidden[top : top + height, left : left + width].all()
    assert hidden.sum() == height * width
    return top, left, height, width


def test_cutout_hides_a_square_that_the_border_may_cut(pipeline):
    side = 64
    boxes = [box_of(one) for one in augmented(pipeline, Cutout(side=0.25), 400, side)[1]]
    assert max(height for _, _, height, _ in boxes) == 16
    assert max(width for _, _, _, width in boxes) == 16
    for top, left, height, width in boxes:
        assert height == 16 or top == 0 or top + height == side
        assert width == 16 or left == 0 or left + width == side
    cut = sum(height < 16 or width < 16 for _, _, height, width in boxes) / 400
    whole = (side - 15) / side  # of the centres along an axis
    assert abs(cut - (1 - whole**2)) < 0.1
    centres = torch.tensor([top + height / 2 for top, _, height, _ in boxes if height == 16])
    assert centres.min() < 12
    assert centres.max() > side - 12


def test_cutout_hides_as_many_squares_as_asked_for(pipeline):
    one, three = (augmented(pipeline, Cutout(holes, 0.2), 300)[1].float().mean().item() for holes in (1, 3))
    assert 2.6 * one < three < 3 * one  # they may overlap


def test_random_erasing_hides_rectangles_of_the_asked_area_and_aspect_inside_the_image(pipeline):
    side = 224
    _, hidden = augmented(pipeline, RandomErasing(fill="mean"), 300, side)
    erased = [one for one in hidden if one.any()]
    assert abs(len(erased) / 300 - 0.5) < 0.1
    areas, aspects = [], []
    for one in erased:
        _, _, height, width = box_of(one)
        areas.append(height * width / side**2)
        aspects.append(height / width)
    assert 0.018 < min(areas) < 0.06
    assert 0.36 < max(areas) < 0.405
    assert 0.28 < min(aspects) < 0.5
    assert 2.5 < max(aspects) < 3.5


def test_random_erasing_never_gives_up(pipeline):
    """The largest rectangles fit with few aspects: where drawing again would fail, the whole image is still hidden."""
    method = RandomErasing(probability=1.0, smallest=0.95, largest=1.0, aspect=0.05, fill="mean")
    shares = augmented(pipeline, method, 200)[1].float().mean((1, 2))
    assert shares.min() > 0.93


def test_random_erasing_fills_with_levels_of_their_own(pipeline):
    images, hidden = augmented(pipeline, RandomErasing(probability=1.0), 60)
    values = images.permute(0, 2, 3, 1)[hidden]
    assert (values.min(), values.max()) == (0, 255)
    assert torch.equal(values, values.round())
    assert abs(values.mean().item() - 127.5) < 1
    assert not torch.equal(values[:, 0], values[:, 1])


def test_hide_and_seek_hides_whole_cells_of_a_size_drawn_for_each_image(pipeline):
    sizes = (0, 16, 32, 44, 56)
    _, hidden = augmented(pipeline, HideAndSeek(), 200, 224)
    found = []
    for one in hidden:
        fitting = [size for size in sizes[1:] if is_of_cells(one, size)]
        assert fitting or not one.any()
        found.append(max(fitting) if one.any() else 0)
    for size in sizes:
        assert 0.08 < found.count(size) / 200 < 0.35


def is_of_cells(hidden, size):
    """Whether every cell of a grid is hidden wholly or not at all."""
    cells = torch.arange(len(hidden)) // size
    corner = torch.arange(0, len(hidden), size)
    return torch.equal(hidden, hidden[corner[cells]][:, corner[cells]])


def test_hide_and_seek_hides_each_cell_for_itself(pipeline):
    _, hidden = augmented(pipeline, HideAndSeek(cells_px=(56,), probability=0.3), 500, 64)
    cells = hidden[:, ::16, ::16].flatten(1).float()
    assert cells.shape == (500, 16)
    assert (cells.mean(0) - 0.3).abs().max() < 0.1
    together = torch.corrcoef(cells.T) - torch.eye(16)
    assert together.abs().max() < 0.25


def test_gridmask_hides_squares_of_a_grid(pipeline):
    method = GridMask(smallest_px=40, largest_px=40, ratio=0.6, rotation_degrees=0.0, probability=1.0)
    phases = set()
    for one in augmented(pipeline, method, 60, 224)[1]:
        rows, columns = one.any(1), one.any(0)
        assert torch.equal(one, rows[:, None] & columns)
        for line in (rows, columns):
            assert torch.equal(line[40:], line[:-40])  # the unit
            assert line[:40].sum() == 16  # of which 24 px are kept
        phases.add((rows.nonzero()[0].item(), columns.nonzero()[0].item()))
    assert len(phases) > 30


def test_gridmask_turns_the_grid(pipeline):
    straight, turned = (
        augmented(pipeline, GridMask(probability=1.0, rotation_degrees=angle), 100)[1] for angle in (0.0, 360.0)
    )

    def aligned(hidden):
        return sum(torch.equal(one, one.any(1)[:, None] & one.any(0)) for one in hidden)

    assert aligned(straight) == 100
    assert aligned(turned) < 20


@pytest.mark.parametrize(("epoch", "share"), [(0, 0.0), (2, 0.25), (4, 0.5), (8, 1.0), (20, 1.0)])
def test_the_probability_of_gridmask_rises_and_stays(pipeline, epoch, share):
    method = GridMask(probability=1.0, ramp_epochs=8, smallest_px=20, largest_px=20)
    hidden = augmented(pipeline, method, 400, 64, epoch=epoch)[1].flatten(1).any(1).float().mean().item()
    assert abs(hidden - share) <= 3.5 * math.sqrt(share * (1 - share) / 400)


def test_lengths_keep_their_share_of_the_image():
    assert [scaled_px(16, side) for side in (224, 112, 64, 448)] == [16, 8, 5, 32]
    assert scaled_px(1, 32) == 1
