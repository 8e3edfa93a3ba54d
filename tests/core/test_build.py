"""From a name and options to a player, and what is wrong with them in one line."""

import re
from dataclasses import dataclass

import pytest
from pydantic import BaseModel, ValidationError, model_validator

from occbench.core.build import build_plugin, build_spec, first_problems
from occbench.core.errors import ConfigError, PluginError
from occbench.core.interfaces import Source
from occbench.core.plugins import name_of
from occbench.core.training import Method
from occbench.methods.cutmix import CutMix


@dataclass(frozen=True)
class Own(Method):
    """Not built in."""


def test_values_of_yaml_become_options_of_their_types():
    assert build_plugin("hide_and_seek", "methods", Method, {"cells_px": [16, 32]}).cells_px == (16, 32)
    assert build_plugin("cutmix", "methods", Method, {"alpha": 1}) == CutMix(alpha=1.0)


@pytest.mark.parametrize(
    ("name", "kind", "role", "options", "said"),
    [
        ("cutmix", "methods", Method, {"beta": 1, "gamma": 2}, "cutmix has no option beta, gamma. Its options: alpha"),
        ("cutmix", "methods", Method, {"alpha": "much"}, "cutmix: alpha: .*number.*found 'much'"),
        ("frozen", "methods", Method, {"alpha": 1}, "frozen has no option alpha. Its options: none"),
        ("image_folder", "sources", Source, {}, "image_folder needs path, found no value: give --source"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(name, kind, role, options, said):
    with pytest.raises(ConfigError, match=said) as caught:
        build_plugin(name, kind, role, options)
    assert "\n" not in str(caught.value)


def test_an_option_that_names_a_player_gives_its_name_and_options():
    assert build_spec({"name": "cutmix", "alpha": 2.0}, "methods", Method, "mine: base") == CutMix(alpha=2.0)
    with pytest.raises(ConfigError, match=r"^mine: base needs a name and its options.*found \{'alpha': 2.0\}"):
        build_spec({"alpha": 2.0}, "methods", Method, "mine: base")
    with pytest.raises(PluginError, match="Did you mean cutmix"):
        build_spec({"name": "cutmiks"}, "methods", Method, "mine: base")


def test_a_built_in_class_is_called_by_its_name_and_another_by_its_own():
    assert name_of(CutMix) == "cutmix"
    assert name_of(Own) == "Own"


class Pair(BaseModel, extra="forbid"):
    low: int
    high: int = 9

    @model_validator(mode="after")
    def _in_order(self) -> "Pair":
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"low": 10}, r"^low 10 is above high 9, found \{'low': 10\}$"),  # a problem of no key in particular
        ({"low": "x", "width": 1}, r"^low: Input should be.*, found 'x'; width: there is no such key$"),
        ({}, r"^low: Field required$"),
    ],
)
def test_problems_are_named_by_their_keys(content, said):
    with pytest.raises(ValidationError) as caught:
        Pair.model_validate(content)
    assert re.search(said, first_problems(caught.value))
