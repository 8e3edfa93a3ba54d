"""Options outside of their range are refused in one line that says what was found and what is allowed."""

from dataclasses import fields, is_dataclass

import pytest

from occbench.core.build import build_plugin
from occbench.core.errors import ConfigError
from occbench.core.networks import Extractor, Head
from occbench.core.plugins import BUILT_IN, find_plugin
from occbench.core.training import Method

#: name -> (options, what is said of them); sources and occlusions have tests of their own.
WRONG = {
    "asl": [
        ({"gamma_positive": -1.0}, "gamma_positive of 0 or more, found -1"),
        ({"gamma_negative": -1.0}, "gamma_negative of 0 or more, found -1"),
        ({"margin": 1.5}, "margin from 0 to 1, found 1.5"),
    ],
    "compositional_net": [
        ({"kernels": 0}, "kernels of 1 or more"),
        ({"mixtures": 0}, "mixtures of 1 or more"),
        ({"kappa": 0.0}, "kappa above 0,"),
        ({"occluded": 1.5}, "occluded from 0 to 1"),
        ({"vmf": -1.0}, "vmf of 0 or more"),
        ({"sampled": 0}, "sampled of 1 or more"),
    ],
    "csra": [
        ({"heads": 3}, "1, 2, 4, 6, 8 heads, found 3"),
        ({"strength": -1.0}, "strength of 0 or more, found -1"),
        ({"lam": 1}, "no option lam"),
    ],
    "cutmix": [
        ({"alpha": 0}, "alpha above 0, found 0"),
        ({"probability": 1.5}, "probability from 0 to 1, found 1.5"),
    ],
    "cutout": [
        ({"holes": 0}, "holes of 1 or more, found 0"),
        ({"side": 0.0}, "side above 0 and up to 1, found 0"),
        ({"side": 16.0}, "side above 0 and up to 1, found 16"),
    ],
    "dfv": [({"alpha": -0.1}, "alpha from 0 to 1, found -0.1"), ({"alpha": float("nan")}, "found nan")],
    "diffusion_features": [
        ({"block": "down1"}, "block is mid, up0, up1"),
        ({"timestep": 1000}, "timestep from 0 to 999"),
        ({"size_px": 100}, "size_px is a multiple of 8"),
        ({"batch_size": 0}, "batch_size of 1 or more"),
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
    "knn": [
        ({"neighbours": 0}, "neighbours of 1 or more, found 0"),
        ({"temperature": 0.0}, "temperature above 0, found 0"),
    ],
    "learn": [
        ({"intra": -1.0}, "intra of 0 or more"),
        ({"cls": float("nan")}, "cls of 0 or more, found nan"),
        ({"clean_share": 1.5}, "clean_share from 0 to 1"),
    ],
    "linear_probe": [({"l2": 0.0}, "l2 above 0, found 0")],
    "mixup": [({"alpha": -1.0}, "alpha above 0, found -1"), ({"probability": -1.0}, "found -1")],
    "msl": [
        ({"recognise": -0.1}, "recognise of 0 or more"),
        ({"consistency": -1.0}, "consistency of 0 or more"),
        ({"recognise": 0.0, "masked": 0.0}, "recognise or masked above 0"),
        ({"laco": "argmax"}, "laco"),
    ],
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
    "sdbe": [({"ridge": 0.0}, "ridge above 0, found 0")],
    "tent": [({"lr": -1.0}, "lr of 0 or more"), ({"steps": 0}, "steps of 1 or more"), ({"reset": "never"}, "reset")],
}
#: name -> (kind, role)
PLAYERS = {
    name: (kind, role)
    for kind, role in (("methods", Method), ("heads", Head), ("extractors", Extractor))
    for name in BUILT_IN[kind]
}


def test_the_table_is_complete():
    players = {name: find_plugin(kind, name, role) for name, (kind, role) in PLAYERS.items()}
    assert set(WRONG) == {name for name, player in players.items() if is_dataclass(player) and fields(player)}


@pytest.mark.parametrize(
    ("name", "options", "said"), [(name, *case) for name, cases in WRONG.items() for case in cases], ids=str
)
def test_an_option_outside_of_its_range_is_one_clear_line(name, options, said):
    with pytest.raises(ConfigError, match=f"^{name}.*{said}") as caught:
        build_plugin(name, *PLAYERS[name], options)
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
