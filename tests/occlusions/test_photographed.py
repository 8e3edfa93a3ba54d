"""Real occlusion: the photograph itself, or one clear line."""

import numpy as np
import pytest

from occbench.core.compose import composite
from occbench.core.errors import BrokenImageError, ConfigError
from occbench.core.prepare import Prepare, prepare
from occbench.core.types import Example
from occbench.occlusions.photographed import Photographed

FAMILY = Photographed({"scarf-even": "scarf-neutral", "scarf-left": "scarf-side"})


def example(value=200, size=(30, 40)):
    clean = np.full((30, 40, 3), 10, dtype=np.uint8)
    return Example("face", clean, (0,), photographs={"scarf-even": lambda: np.full((*size, 3), value, dtype=np.uint8)})


def test_the_occluded_image_is_the_photograph():
    even, left = FAMILY.conditions
    assert [(item.name, item.group) for item in (even, left)] == [
        ("scarf-even", "scarf-neutral"),
        ("scarf-left", "scarf-side"),
    ]
    overlay = FAMILY.overlay(example(), even, 0)
    assert overlay.achieved == 1
    assert (composite(example().image, overlay) == 200).all()


def test_the_resize_rule_is_applied_to_the_photograph_alone():
    """The two may have been taken in different sizes; afterwards they have one."""
    small = prepare(example(size=(60, 50)), Prepare(size_px=16))
    overlay = FAMILY.overlay(small, FAMILY.conditions[0], 0)
    assert overlay.rgba.shape == (16, 16, 4)
    boxed = Example(
        "face", np.zeros((8, 8, 3), np.uint8), (0,), box=(0, 0, 4, 8),
        photographs={"scarf-even": lambda: np.repeat(np.arange(8, dtype=np.uint8), 24).reshape(8, 8, 3).swapaxes(0, 1)},
    )  # fmt: skip
    cropped = prepare(boxed, Prepare(rule="bbox", size_px=8))
    assert FAMILY.overlay(cropped, FAMILY.conditions[0], 0).rgba[..., 0].max() <= 3


def test_what_the_source_has_not_is_said():
    with pytest.raises(BrokenImageError, match="face has no photograph scarf-left; the source has scarf-even"):
        FAMILY.overlay(example(), FAMILY.conditions[1], 0)
    with pytest.raises(BrokenImageError, match="differ in size, 50 x 60 px and 40 x 30 px"):
        FAMILY.overlay(example(size=(60, 50)), FAMILY.conditions[0], 0)


@pytest.mark.parametrize("photographs", [{}, {"A": "a"}, {"a": "A b"}])
def test_options_are_checked(photographs):
    with pytest.raises(ConfigError, match="photographed"):
        Photographed(photographs)
