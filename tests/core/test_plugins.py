"""Players by name: built in, installed by another package, or one class in a file."""

import pickle
import re
import sys
from abc import ABC, abstractmethod

import pytest

from occbench.core.errors import PluginError
from occbench.core.interfaces import Occlusion, Source
from occbench.core.plugins import BUILT_IN, describe_plugins, find_plugin, plugin_names

GREY = """
from dataclasses import dataclass
import numpy as np
from occbench.core.interfaces import Occlusion
from occbench.core.types import Condition, Overlay

@dataclass(frozen=True)
class Grey(Occlusion):
    value: int = 128

    @property
    def conditions(self):
        return (Condition(name="grey", family="grey", group="grey"),)

    def overlay(self, example, condition, seed):
        return Overlay(np.full((*example.image.shape[:2], 4), self.value, np.uint8), 0, 0, self.value / 255)

class Half(Occlusion):
    @property
    def conditions(self):
        return ()

class Other:
    pass

grey = Grey()
"""


class Role(ABC):
    @abstractmethod
    def play(self): ...


@pytest.fixture
def grey_file(tmp_path):
    path = tmp_path / "grey.py"
    path.write_text(GREY)
    return path


@pytest.mark.parametrize(("kind", "role"), [("occlusions", Occlusion), ("sources", Source)])
def test_every_built_in_name_is_a_player_of_its_role(kind, role):
    for name in BUILT_IN[kind]:
        assert issubclass(find_plugin(kind, name, role), role)


@pytest.mark.parametrize("kind", sorted(BUILT_IN))
def test_built_in_names_are_sorted_and_listed(kind):
    assert list(BUILT_IN[kind]) == sorted(BUILT_IN[kind])
    assert set(BUILT_IN[kind]) <= set(plugin_names(kind))


def test_a_misspelt_name_gets_a_hint():
    with pytest.raises(PluginError, match=r"no occlusion is called 'patchdrop'. Did you mean patch_drop\?"):
        find_plugin("occlusions", "patchdrop", Occlusion)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(PluginError, match=r"Known: .*irregular.*patch_drop.*path/to/file.py:Name"):
        find_plugin("occlusions", "zzzzzz", Occlusion)


def test_a_class_of_a_file_works_and_survives_pickling(grey_file):
    grey = find_plugin("occlusions", f"{grey_file}:Grey", Occlusion)
    assert grey(value=7).conditions[0].name == "grey"
    assert pickle.loads(pickle.dumps(grey(value=7))) == grey(value=7)


def test_two_files_of_one_name_do_not_mix(tmp_path):
    classes = []
    for folder, value in (("one", 1), ("other", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "grey.py").write_text(GREY.replace("128", str(value)))
        classes.append(find_plugin("occlusions", f"{tmp_path / folder / 'grey.py'}:Grey", Occlusion))
    assert [found().value for found in classes] == [1, 2]


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("Missing", r"has no class Missing. It has: .*Grey, Half"),
        ("Other", r"is not a Occlusion"),
        ("grey", r"is not a Occlusion"),
        ("Half", r"does not fill the role Occlusion: it lacks overlay"),
    ],
)
def test_a_class_that_does_not_fit_says_why(grey_file, attribute, message):
    with pytest.raises(PluginError, match=message):
        find_plugin("occlusions", f"{grey_file}:{attribute}", Occlusion)


def test_a_built_in_of_another_role_is_refused():
    with pytest.raises(PluginError, match="patch_drop is not a Role"):
        find_plugin("occlusions", "patch_drop", Role)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PluginError, match=r"there is no file .*absent.py"):
        find_plugin("occlusions", f"{tmp_path / 'absent.py'}:Grey", Occlusion)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import not_a_module_of_anyone\n", "ModuleNotFoundError"),
        ("1 / 0\n", "Zero"),
    ],
)
def test_a_file_that_cannot_be_imported_says_why_and_is_forgotten(tmp_path, text, reason):
    path = tmp_path / "broken.py"
    path.write_text(text)
    modules = set(sys.modules)
    with pytest.raises(PluginError, match=f"broken.py cannot be imported: {reason}"):
        find_plugin("occlusions", f"{path}:Grey", Occlusion)
    assert not [name for name in set(sys.modules) - modules if name.startswith("occbench_user_")]
    path.write_text(GREY)
    assert find_plugin("occlusions", f"{path}:Grey", Occlusion).__name__ == "Grey"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a package of one module with an occlusion called grey."""

    def make(text):
        (tmp_path / "greypackage.py").write_text(text)
        record = tmp_path / "greypackage-1.0.dist-info"
        record.mkdir()
        (record / "METADATA").write_text("Metadata-Version: 2.1\nName: greypackage\nVersion: 1.0\n")
        (record / "entry_points.txt").write_text("[occbench.occlusions]\ngrey = greypackage:Grey\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "greypackage", raising=False)

    return make


def test_an_installed_package_adds_a_name(install):
    install(GREY)
    assert "grey" in plugin_names("occlusions")
    assert find_plugin("occlusions", "grey", Occlusion).__module__ == "greypackage"


@pytest.mark.parametrize(("text", "reason"), [("import not_a_module_of_anyone\n", "ModuleNotFound"), ("", "Attribute")])
def test_an_installed_package_that_is_broken_is_named_and_leaves_the_others_listed(install, text, reason):
    install(text)
    said = rf"grey of the installed package greypackage cannot be imported: {reason}Error: .*\. Mend or remove it\."
    with pytest.raises(PluginError, match=said):
        find_plugin("occlusions", "grey", Occlusion)
    described = dict(describe_plugins("occlusions"))
    assert set(described) == {*BUILT_IN["occlusions"], "grey"}
    assert re.search(said, described["grey"])
    assert described["patch_drop"]
