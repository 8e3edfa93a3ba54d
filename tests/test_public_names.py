"""``import occbench`` offers exactly its public names, each documented, and costs nothing until they are used."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import occbench


def test_the_list_is_sorted_and_complete():
    assert list(occbench.__all__) == sorted(set(occbench.__all__))
    assert set(occbench.__all__) == set(occbench._HOME_OF), "every name has a home and every home is public"
    assert set(dir(occbench)) == {*occbench.__all__, "__version__"}


def test_type_checkers_see_the_same_names():
    source = Path(occbench.__file__).read_text(encoding="utf-8")
    block = source.split("if TYPE_CHECKING:\n")[1].split("\n\n")[0]
    names = [name for line in block.splitlines() for name in line.partition(" import ")[2].split(",")]
    seen = {name.rpartition(" as ")[2].strip() for name in names}
    assert seen == set(occbench.__all__)


@pytest.mark.parametrize("name", occbench.__all__)
def test_every_name_is_there_and_documented(name):
    found = getattr(occbench, name)
    assert inspect.getdoc(found), f"{name} has no docstring"
    assert found.__name__ == occbench._NAME_AT_HOME.get(name, name)
    assert not inspect.ismodule(found), f"occbench.{name} is a package, too"


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'occbench' has no attribute 'nothing'"):
        occbench.nothing  # noqa: B018 - the access is the test


def test_importing_it_imports_nothing_heavy():
    heavy = ("torch", "pandas", "datasets", "cv2", "pyarrow", "numpy", "pydantic")
    code = f"import sys, occbench; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
