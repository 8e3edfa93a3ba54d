"""Occluders made ready: scaled without fringes, from halves, each class told apart."""

import numpy as np
import pytest

from occbench.core.types import Example
from occbench.occlusions.banks.bank import load_bank
from occbench.occlusions.levels_occluders import Cutout, cutouts, of_other_classes


def cone(side=200):
    """A green disc with a soft edge; transparent pixels are bright red, which nobody may see."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    rgba = np.zeros((side, side, 4), dtype=np.uint8)
    rgba[...] = (255, 0, 0, 0)
    rgba[..., 3] = np.clip((side / 2 - np.hypot(x, y)) * 64, 0, 255)
    rgba[rgba[..., 3] > 0, :3] = (0, 200, 0)
    return rgba


@pytest.mark.parametrize("size", [(3, 3), (40, 40), (90, 60), (150, 150), (400, 300)], ids=str)
def test_no_colour_bleeds_in_at_any_size(size):
    scaled = Cutout(cone(), None).scaled(*size)
    assert scaled.shape == (size[1], size[0], 4)
    weight = scaled[..., 3].astype(int)
    assert not (scaled[..., 0] * weight).any(), "no red"
    # 8-bit premultiplied colours are rounded on their way: two grey levels of what the eye is shown
    assert (np.abs(scaled[..., 1].astype(int) - 200) * weight <= 2 * 255).all()
    share = scaled[..., 3].mean() / 255
    assert share == pytest.approx(np.pi / 4 * 0.98**2, abs=0.06 if min(size) < 10 else 0.02)


def test_outlines_keep_alpha_or_the_box_alone():
    silhouette, box = (Cutout(cone(), outline) for outline in ("silhouette", "box"))
    assert silhouette.scaled(50, 50).shape == (50, 50)
    assert (box.scaled(50, 30) == 255).all()
    assert box.shape.area == 200 * 200
    assert silhouette.shape.area == pytest.approx(np.pi * 98**2, rel=0.01)
    assert np.array_equal(silhouette.shape.solid, cone()[..., 3] >= 128)


def test_all_of_an_images_classes_are_left_out():
    bank = load_bank("occbench-30")
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    left = of_other_classes(bank, Example("a", image, (0, 1), class_names=("Mug", "cone")))
    assert {bank.occluders[number].category for number in left} == {
        occluder.category for occluder in bank.occluders
    } - {"mug", "cone"}
    assert of_other_classes(bank, Example("a", image, ())) == list(range(30)), "an image of no class"
    assert len(cutouts("occbench-30", None)) == 30
