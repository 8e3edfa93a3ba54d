"""A recipe says what is made: its fingerprint follows what decides pixels, its errors name key, value and way out."""

import pickle

import pytest

from occbench.core.errors import ConfigError, PluginError
from occbench.data.recipe import Recipe, find_recipe, load_recipe, parse_recipe, recipe_names


def test_every_packaged_recipe_loads_and_describes_itself():
    assert "quickstart" in recipe_names()
    for name in recipe_names():
        recipe = load_recipe(name)
        assert recipe.name == name
        assert recipe.description
        assert recipe.conditions()


def test_a_recipe_survives_json_and_pickling(tiny_recipe):
    recipe = tiny_recipe(layout="materialised")
    for copy in (Recipe.model_validate_json(recipe.model_dump_json()), pickle.loads(pickle.dumps(recipe))):
        assert copy == recipe
        assert copy.pixels_fingerprint() == recipe.pixels_fingerprint()
        assert copy.occlusions[0].options == recipe.occlusions[0].options


def test_storage_does_not_change_the_pixels_fingerprint(tiny_recipe):
    prints = {
        tiny_recipe(**storage).pixels_fingerprint()
        for storage in ({}, {"layout": "materialised"}, {"layout": "materialised", "format": "webdataset"})
    }
    assert len(prints) == 1


@pytest.mark.parametrize(
    "change",
    ["seed=6", "prepare.size_px=56", "prepare.rule=none", "occlusions.0.ratios=[0.1]", "occlusions.0.anchor=centroid"],
)
def test_what_decides_pixels_changes_the_fingerprint(recipe_file, change):
    path = str(recipe_file())
    assert load_recipe(path, [change]).pixels_fingerprint() != load_recipe(path).pixels_fingerprint()


def test_whole_numbers_mean_the_same_with_and_without_a_point(recipe_file):
    path = str(recipe_file())
    one, other = (load_recipe(path, [f"seed={text}"]).pixels_fingerprint() for text in ("3", "3.0"))
    assert one == other


def test_overrides_reach_into_mappings_and_lists(recipe_file):
    changes = ["storage.layout=materialised", "occlusions.0.random_positions=2", "description=a: ["]
    with pytest.raises(ConfigError, match="the value is not YAML"):
        load_recipe(str(recipe_file()), changes)
    recipe = load_recipe(str(recipe_file()), changes[:2])
    assert recipe.storage.layout == "materialised"
    assert len(recipe.conditions()) == 2 * 2 * 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "KEY.KEY=VALUE"),
        ("=3", "KEY.KEY=VALUE"),
        ("occlusions.1.name=patterns", "'1' is not an item of a list of 1"),
        ("occlusions.first=1", "'first' is not an item"),
        ("seed.more=1", "there are no keys below seed"),
        ("storage.colour=red", r"storage\.colour: there is no such key"),
    ],
)
def test_an_override_that_fits_nowhere_is_refused(recipe_file, override, message):
    with pytest.raises(ConfigError, match=message):
        load_recipe(str(recipe_file()), [override])


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean quickstart"):
        find_recipe("quikstart")
    with pytest.raises(ConfigError, match=r"Packaged: .*quickstart"):
        find_recipe("zzz")


def test_condition_names_must_differ(tiny_content):
    content = tiny_content()
    content["occlusions"] *= 2
    with pytest.raises(ConfigError, match="bar_10_c, bar_10_r1, bar_20_c more than once"):
        parse_recipe(content, "tiny.yaml").build_occlusions()


def test_tar_files_need_stored_images(tiny_recipe):
    with pytest.raises(ConfigError, match="set layout: materialised"):
        tiny_recipe(format="webdataset")


def test_options_are_checked_by_the_player_they_are_for(tiny_content):
    content = tiny_content()
    content["occlusions"][0]["colour"] = "red"
    with pytest.raises(ConfigError, match=r"patterns has no option colour\. Its options: anchor, bank"):
        parse_recipe(content, "tiny.yaml").conditions()
    content["occlusions"] = [{"name": "paterns"}]
    with pytest.raises(PluginError, match="Did you mean patterns"):
        parse_recipe(content, "tiny.yaml").conditions()


def test_a_source_without_its_path_says_where_to_give_it(tiny_recipe):
    with pytest.raises(ConfigError, match="image_folder needs path, found no value: give --source"):
        tiny_recipe().open_source()
