"""Where and what apart: any family is a mask."""

import numpy as np
import pytest

from occbench.core.errors import ConfigError, PluginError
from occbench.core.types import Example
from occbench.occlusions.where import hidden_mask, mask_family


@pytest.fixture
def example():
    parts = {name: np.zeros((96, 96), dtype=np.bool_) for name in ("head", "tail")}
    parts["head"][10:40, 10:40] = parts["tail"][50:60, 50:60] = True
    return Example("photo", np.full((96, 96, 3), 99, dtype=np.uint8), (0,), parts=parts)


def test_a_family_is_built_from_its_name_and_options(example):
    family = mask_family({"name": "part_blackout", "shares": [1], "dilate_px": 2}, "inpaint: where")
    (condition,) = family.conditions
    mask = hidden_mask(family, example, condition, 0)
    assert mask[10:40, 10:40].all()
    assert mask[8, 20]
    assert not mask[7, 20]


def test_a_family_that_is_soft_at_its_edges_hides_where_it_is_opaque(example, tiny_bank):
    family = mask_family({"name": "patterns", "bank": str(tiny_bank), "ratios": [0.2]}, "inpaint: where")
    for condition in family.conditions:
        overlay = family.overlay(example, condition, 3)
        mask = hidden_mask(family, example, condition, 3)
        assert mask.dtype == np.bool_
        assert mask.shape == (96, 96)
        assert int(mask.sum()) == int((overlay.alpha == 255).sum()) > 0
    soft = family.conditions[-1]
    assert soft.parameters["occluder"] == "disc"
    assert (family.overlay(example, soft, 3).alpha % 255).any(), "the disc has an edge that is neither"


@pytest.mark.parametrize("name", ["patch_drop", "irregular"])
def test_hard_families_hide_all_they_cover(example, name):
    family = mask_family({"name": name}, "inpaint: where")
    for condition in family.conditions:
        mask = hidden_mask(family, example, condition, 3)
        assert mask.mean() == pytest.approx(family.overlay(example, condition, 3).achieved)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ({}, ConfigError, r"inpaint: where needs a name and its options"),
        ({"name": 3}, ConfigError, r"inpaint: where needs a name and its options"),
        ({"name": "part_blackout", "side": 2}, ConfigError, "part_blackout has no option side"),
        ({"name": "part_blackout", "dilate_px": "wide"}, ConfigError, "part_blackout: dilate_px"),
        ({"name": "part_blackot"}, PluginError, r"Did you mean part_blackout\?"),
    ],
)
def test_what_is_no_family_says_so(spec, error, message):
    with pytest.raises(error, match=message) as caught:
        mask_family(spec, "inpaint: where")
    assert "\n" not in str(caught.value)
