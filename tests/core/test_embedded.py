"""Files that come with occbench: found by name, and any other file by its path."""

import pytest

from occbench.core.embedded import Shelf
from occbench.core.errors import ConfigError

RECIPES = Shelf("recipes", ".yaml", "recipe")


def test_every_name_is_found_and_is_a_file():
    assert RECIPES.names() == sorted(set(RECIPES.names()))
    for name in RECIPES.names():
        assert RECIPES.find(name).stem == name


def test_a_path_is_found_where_no_file_has_that_name(tmp_path):
    own = tmp_path / "mine.yaml"
    own.write_text("name: mine\n")
    assert RECIPES.find(str(own)) == own


def test_what_is_not_there_is_answered_in_one_line_with_the_nearest_name_and_all_of_them():
    with pytest.raises(ConfigError, match=r"no recipe is called 'quickstrat'.*Did you mean quickstart") as caught:
        RECIPES.find("quickstrat")
    assert "caltech101-24" in str(caught.value)
    assert "\n" not in str(caught.value)
