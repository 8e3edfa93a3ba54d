"""A Hub on this machine, and the unmodified command line and client pointed at it in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from .hub_server import running
from .hub_store import Store

#: Everything a token must not turn up in is searched for this text.
TOKEN = "hf_SecretOfTheTestsDoNotPrint0123456789"


@pytest.fixture(scope="session")
def one_hub():
    with running(Store()) as hub:
        yield hub


@pytest.fixture
def hub(one_hub):
    """A running, empty Hub where TOKEN belongs to alice, who may also write to lab."""
    one_hub.store = Store(tokens={TOKEN: ("alice", "write"), "hf_reader": ("bob", "read")}, members={"alice": ("lab",)})
    one_hub.watch = None
    one_hub.faults.clear()
    one_hub.log.clear()
    return one_hub


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """The folder of a user who has logged in the standard way: the token lies in a file of theirs."""
    folder = tmp_path_factory.mktemp("hf-home")
    (folder / "token").write_text(TOKEN)
    return folder


@pytest.fixture(scope="session")
def user_env(one_hub, home):
    """The environment of that user."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return {
        **kept,
        "HF_ENDPOINT": one_hub.endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "NO_PROXY": "127.0.0.1,localhost",
    }


@pytest.fixture(scope="session")
def shell(user_env):
    """The user's shell (see ``user.py``)."""
    command = [sys.executable, str(Path(__file__).with_name("user.py"))]
    with subprocess.Popen(command, env=user_env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def as_user(hub, shell, tmp_path):
    """Return a function that runs `occbench ARGUMENTS`, or Python code, as that user."""

    def run(*arguments, code="", env=None):
        task = {"arguments": [str(item) for item in arguments], "code": code, "env": env or {}, "cwd": str(tmp_path)}
        shell.stdin.write(json.dumps(task) + "\n")
        shell.stdin.flush()
        return SimpleNamespace(**json.loads(shell.stdout.readline()))

    return run


@pytest.fixture(scope="session")
def toys(tmp_path_factory):
    """Return a function that makes a small dataset of the embedded images: 6 images, 4 conditions, 2 images a shard."""
    from occbench.data.recipe import parse_recipe
    from occbench.generate.run import generate

    made = {}

    def make(**storage):
        key = tuple(sorted(storage.items()))
        if key not in made:
            content = {
                "name": "toys",
                "description": "Toys <script>alert(1)</script> | under [patterns](x)",
                "source": {"name": "toyparts", "images_per_class": 1, "size_px": 48},
                "prepare": {"rule": "direct", "size_px": 48},
                "occlusions": [
                    {"name": "patterns", "bank": "occbench-3", "occluders": ["mug1"], "random_positions": 1}
                ],
                "storage": {"rows_per_shard": 8, **storage},
            }
            made[key] = tmp_path_factory.mktemp("toys") / "dataset"
            generate(parse_recipe(content, "toys"), made[key], limit=6)
        return made[key]

    return make
