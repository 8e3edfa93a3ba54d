"""Every requirement states one lower bound, which can be installed as it stands; CI's versions keep to all of them."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
STATED = {"core": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
ALL, IN_CI = (
    [pytest.param(Requirement(line), id=f"{where}-{line}") for where in places for line in STATED[where]]
    for places in (STATED, ("core", "dev", "docs"))
)


@pytest.fixture(scope="module")
def pinned():
    """Name -> version that CI installs."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


@pytest.mark.parametrize("requirement", ALL)
def test_a_requirement_is_one_lower_bound(requirement):
    """``.ci/versions lowest`` installs ``name==bound``; an upper bound would hold users back from what nobody tried."""
    (bound,) = requirement.specifier
    assert bound.operator == ">="
    assert requirement.url is requirement.marker is None


@pytest.mark.parametrize("requirement", IN_CI)
def test_ci_pins_a_version_that_is_allowed(requirement, pinned):
    assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)])


def test_a_name_has_the_same_bound_wherever_the_lowest_versions_are_installed_from():
    bounds = {}
    for line in STATED["core"] + STATED["dev"]:
        requirement = Requirement(line)
        assert bounds.setdefault(canonicalize_name(requirement.name), requirement.specifier) == requirement.specifier
