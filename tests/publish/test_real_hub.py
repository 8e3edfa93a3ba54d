"""The same against the real Hub: only when asked for, in private repositories that are deleted afterwards.

hf auth login
OCCBENCH_TEST_HUB=your-name pytest -m hub tests/publish/test_real_hub.py
"""

import os
import signal
import subprocess
import sys
import uuid

import pytest

from .test_interrupted import PUBLISH
from .test_reading_back import LOAD, READ_TABLE, found, rows_of

STORED = {"layout": "materialised"}
NAMESPACE = os.environ.get("OCCBENCH_TEST_HUB", "")

pytestmark = [
    pytest.mark.hub,
    pytest.mark.skipif(not NAMESPACE, reason="set OCCBENCH_TEST_HUB to a namespace of yours to test on the real Hub"),
    pytest.mark.timeout(1800),
]

CLI = "import sys; from occbench.cli import main; main()"


@pytest.fixture
def real(tmp_path):
    """Return (repository, function that runs the command line or code as the user that is logged in, environment)."""
    repo = f"{NAMESPACE}/occbench-test-{uuid.uuid4().hex[:12]}"
    env = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    env["HF_HUB_CACHE"] = str(tmp_path / "cache")

    def run(*arguments, code=CLI, check=True):
        command = [sys.executable, "-c", code.replace("lab/toys", repo), *map(str, arguments)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900, cwd=tmp_path, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done

    yield repo, run, env
    run(code="import huggingface_hub as h; h.delete_repo('lab/toys', repo_type='dataset', missing_ok=True)")


def test_published_killed_repeated_and_read_back(real, toys, tmp_path):
    repo, run, env = real
    run("publish", toys(**STORED), repo, "--private", "--dry-run")
    code = PUBLISH.format(directory=str(toys(**STORED))).replace('"lab/toys"', '"lab/toys", "--private"')
    process = subprocess.Popen([sys.executable, "-c", code.replace("lab/toys", repo)], env=env)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=6)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    run("publish", toys(**STORED), repo, "--private")
    assert ": 0 files sent (0 B)" in run("publish", toys(**STORED), repo, "--private").stdout
    made = rows_of(toys(**STORED))
    assert found(run(code=READ_TABLE.format(table="occluded", name="row"))) == made
    assert found(run(code=LOAD.format(place="lab/toys"))) == made
    get = "import huggingface_hub as h; h.snapshot_download('lab/toys', repo_type='dataset', local_dir='got')"
    run(code=get)
    run("verify", tmp_path / "got")


def test_rebuilt_from_a_recipe(real, toys, bytes_of, tmp_path):
    repo, run, _ = real
    run("publish", toys(), repo, "--private", "--as", "recipe")
    assert (
        "Every file has the published hash." in run("generate", "--from", f"hub:{repo}", "--out", tmp_path / "a").stdout
    )
    assert bytes_of(tmp_path / "a") == bytes_of(toys())


def test_a_namespace_that_is_not_ours_is_one_line(real, toys):
    _, run, _ = real
    done = run("publish", toys(), "huggingface/occbench-test-no", check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("occbench: cannot publish to huggingface/")
