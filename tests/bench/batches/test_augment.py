"""Augmentation of a batch: what it may change, by how much, and that only its draws decide."""

import pytest
import torch

import occbench.bench.batches.augment as module
from occbench.bench.batches.augment import AUGMENTATIONS, augment, draw_geometry

SIDE = 64
MOVING = [kind for kind in AUGMENTATIONS if kind != "none"]


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def ramp(count):
    """Images whose red is their column and whose green is their row, times two."""
    places = 2 * torch.arange(SIDE, dtype=torch.uint8)
    columns, rows = places.expand(SIDE, SIDE), places[:, None].expand(SIDE, SIDE)
    return torch.stack([columns, rows, torch.full_like(columns, 200)]).expand(count, -1, -1, -1).contiguous()


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_shape_range_and_input_are_kept(kind):
    images = ramp(5)
    made = augment(images, kind, draws())
    assert made.dtype == torch.float32
    assert made.shape == images.shape
    assert made.min() >= 0
    assert made.max() <= 255
    assert torch.equal(images, ramp(5))


def test_none_is_the_identity_and_draws_nothing():
    generator = draws()
    before = generator.get_state()
    assert torch.equal(augment(ramp(3), "none", generator), ramp(3).float())
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("kind", MOVING)
def test_equal_draws_give_equal_images_and_other_draws_others(kind):
    first = augment(ramp(4), kind, draws(1))
    assert torch.equal(augment(ramp(4), kind, draws(1)), first)
    assert not torch.equal(augment(ramp(4), kind, draws(2)), first)


@pytest.mark.parametrize("kind", [kind for kind in MOVING if kind != "flip"])
def test_every_image_of_a_batch_has_its_own_draw(kind):
    made = augment(ramp(6), kind, draws())
    assert all(not torch.equal(made[0], other) for other in made[1:])


def test_a_flip_is_one_of_two_images_exactly():
    images = ramp(32)
    made = augment(images, "flip", draws())
    flipped = [torch.allclose(one, clean.float().flip(2), atol=1e-2) for one, clean in zip(made, images, strict=True)]
    left = [torch.allclose(one, clean.float(), atol=1e-2) for one, clean in zip(made, images, strict=True)]
    assert [one != other for one, other in zip(flipped, left, strict=True)] == [True] * 32
    assert 8 < sum(flipped) < 24


def test_a_large_crop_keeps_seven_tenths_of_the_area_or_more():
    matrix = draw_geometry(500, "flip_crop", draws()).matrix
    area = (matrix[:, 0, 0] * matrix[:, 1, 1]).abs()
    assert 0.65 < area.min() < 0.75  # an aspect that does not fit is cut
    assert 0.95 < area.max() <= 1


@pytest.mark.parametrize("kind", MOVING)
def test_the_global_generator_is_left_alone(kind):
    before = torch.random.get_rng_state()
    augment(ramp(2), kind, draws())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_an_affine_map_without_room_is_the_image_or_its_mirror_image(monkeypatch):
    for name, value in (("_DEGREES", 0.0), ("_SHIFT", 0.0), ("_SCALE", (1.0, 1.0))):
        monkeypatch.setattr(module, name, value)
    images = ramp(64)
    made = augment(images, "flip_affine", draws())
    same = [torch.allclose(one, images[0].float(), atol=0.01) for one in made]
    mirrored = [torch.allclose(one, images[0].flip(-1).float(), atol=0.01) for one in made]
    assert all(left != right for left, right in zip(same, mirrored, strict=True))
    # 64 fair coins: within four standard deviations of 32
    assert 16 <= sum(mirrored) <= 48


def test_an_affine_map_stays_within_its_ranges():
    """A bright disc of radius 12 in the middle moves by at most 10 % and grows or shrinks by at most 10 %."""
    rows, columns = torch.meshgrid(torch.arange(SIDE) - 31.5, torch.arange(SIDE) - 31.5, indexing="ij")
    disc = (torch.hypot(rows, columns) < 12).to(torch.uint8) * 250
    made = augment(disc.expand(200, 3, -1, -1), "flip_affine", draws())[:, 0]
    mass = made.sum((1, 2)) / disc.float().sum()
    assert 0.9**2 - 0.02 < mass.min() < 0.9
    assert 1.1 < mass.max() < 1.1**2 + 0.02
    for axis in (rows, columns):
        moved = (made * axis).sum((1, 2)) / made.sum((1, 2))
        # the shift is applied before the scale, so it is seen up to 1.1 times as large
        assert moved.abs().max() <= 1.1 * (0.1 * SIDE) * 1.3
        assert moved.std() > 1


def test_a_rotation_is_at_most_fifteen_degrees(monkeypatch):
    monkeypatch.setattr(module, "_SHIFT", 0.0)
    bar = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    bar[30:34, 8:56] = 250
    made = augment(bar.expand(200, 3, -1, -1), "flip_affine", draws())[:, 0]
    rows, columns = torch.meshgrid(torch.arange(SIDE) - 31.5, torch.arange(SIDE) - 31.5, indexing="ij")
    slope = (made * rows * columns).sum((1, 2)) / (made * columns**2).sum((1, 2))
    degrees = torch.rad2deg(slope.atan())
    assert 12 < degrees.abs().max() < 15.5
    assert degrees.min() < -5
    assert degrees.max() > 5


def test_a_crop_stays_inside_the_image():
    """A constant image stays constant to its corners: nothing from outside is mixed in."""
    images = torch.full((100, 3, SIDE, SIDE), 200, dtype=torch.uint8)
    assert torch.allclose(augment(images, "random_resized_crop", draws()), images.float(), atol=1e-3)


def test_a_crop_is_an_upright_box_of_the_stated_area_and_aspect():
    made = augment(ramp(300), "random_resized_crop", draws())
    across, down = made[:, 0], made[:, 1]
    assert torch.allclose(across, across[:, :1].expand_as(across), atol=1e-2)
    assert torch.allclose(down, down[:, :, :1].expand_as(down), atol=1e-2)
    # values are twice the place in pixels; the outermost samples lie half a sample inside the box
    width = (across[:, 0, -1] - across[:, 0, 0]).abs() / (2 * SIDE) * SIDE / (SIDE - 1)
    height = (down[:, -1, 0] - down[:, 0, 0]) / (2 * SIDE) * SIDE / (SIDE - 1)
    assert (height > 0).all()
    inner = (width < 0.9) & (height < 0.9)
    area, aspect = (width * height)[inner], (width / height)[inner]
    assert 0.06 < area.min() < 0.2
    assert 0.7 < aspect.min() < 0.85
    assert 1.2 < aspect.max() < 1.4
    flipped = (across[:, 0, -1] < across[:, 0, 0]).float().mean()
    assert 0.35 < flipped < 0.65
