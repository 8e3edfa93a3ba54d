"""Options outside of their range are refused in one line that says what was found and what is allowed."""

import pytest

from occbench.core.errors import ConfigError
from occbench.core.training import Method
from occbench.data.config import build_plugin

WRONG = {
    "cutmix": [
        ({"alpha": 0}, "alpha above 0, found 0"),
        ({"probability": 1.5}, "probability from 0 to 1, found 1.5"),
    ],
    "cutout": [
        ({"holes": 0}, "holes of 1 or more, found 0"),
        ({"side": 0.0}, "side above 0 and up to 1, found 0"),
        ({"side": 16.0}, "side above 0 and up to 1, found 16"),
    ],
    "gridmask": [
        ({"smallest_px": 1}, "smallest_px of 2 or more, found 1"),
        ({"largest_px": 50}, "largest_px of 96 or more, found 50"),
        ({"ratio": 0.0}, "ratio above 0 and up to 1, found 0"),
        ({"rotation_degrees": 400.0}, "rotation_degrees from 0 to 360, found 400"),
        ({"probability": -0.1}, "probability from 0 to 1, found -0.1"),
        ({"ramp_epochs": -1}, "ramp_epochs of 0 or more, found -1"),
    ],
    "hide_and_seek": [
        ({"cells_px": []}, "cells_px, found none"),
        ({"cells_px": [16, -1]}, "cells_px of 0 or more, found -1"),
        ({"probability": 2.0}, "probability from 0 to 1, found 2"),
    ],
    "mixup": [({"alpha": -1.0}, "alpha above 0, found -1"), ({"probability": -1.0}, "found -1")],
    "part_blackout": [({"alpha": 0.0}, "alpha above 0,"), ({"beta": -0.1}, "beta of 0 or more, found -0.1")],
    "part_replace": [({"alpha": -1.0}, "alpha above 0,"), ({"beta": float("nan")}, "beta of 0 or more, found nan")],
    "patch_mixing": [
        ({"cell_px": 0}, "cell_px of 1 or more, found 0"),
        ({"largest_share": 1.2}, "largest_share above 0 and up to 1, found 1.2"),
    ],
    "pattern_paste": [({"probability": 1.01}, "probability from 0 to 1, found 1.01")],
    "random_erasing": [
        ({"probability": -1.0}, "probability from 0 to 1"),
        ({"smallest": 0.0}, "smallest above 0 and up to 1"),
        ({"largest": 0.01}, "largest from 0.02 to 1, found 0.01"),
        ({"aspect": 2.0}, "aspect above 0 and up to 1, found 2"),
        ({"fill": "black"}, "fill"),
    ],
    "sd_features": [({"fusion": "sum"}, "fusion"), ({"timestep": "late"}, "timestep")],
    "sd_inpaint": [({"alpha": 0.0}, "alpha above 0,"), ({"beta": -2.0}, "beta of 0 or more, found -2")],
}


@pytest.mark.parametrize(
    ("name", "options", "said"), [(name, *case) for name, cases in WRONG.items() for case in cases], ids=str
)
def test_an_option_outside_of_its_range_is_one_clear_line(name, options, said):
    with pytest.raises(ConfigError, match=f"^{name}.*{said}") as caught:
        build_plugin(name, "methods", Method, options)
    assert "\n" not in str(caught.value)


def test_the_ends_of_a_range_are_allowed():
    for name, options in (
        ("cutout", {"side": 1.0}),
        ("cutmix", {"probability": 0.0}),
        ("random_erasing", {"smallest": 1.0, "largest": 1.0}),
        ("gridmask", {"smallest_px": 2, "largest_px": 2}),
        ("part_blackout", {"beta": 0.0}),
    ):
        build_plugin(name, "methods", Method, options)
