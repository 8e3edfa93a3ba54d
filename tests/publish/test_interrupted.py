"""Publishing that is killed, cut off or put off: nothing is lost, nothing is sent twice, the end is the same."""

import os
import re
import signal
import subprocess
import sys

import pytest

from .test_hub import STORED, contents

#: The command line with commits of two files, so that a small dataset takes several.
PUBLISH = """
import occbench.publish.hub as hub
hub._COMMIT_FILES = 2
import occbench.publish.patience as patience
patience._WAITS_S = (0.1, 0.1, 0.1, 0.1)
import sys
from occbench.cli import main
sys.argv = ["occbench", "publish", {directory!r}, "lab/toys"]
main()
"""

#: when -> (request at whose arrival the publisher is killed, how many of them pass before)
MOMENTS = {
    "before the first file": ("PUT /put", 0),
    "in the middle of a file": (r"PUT /put/\w+/2$", 1),
    "before a file is put together": ("POST /complete", 1),
    "before the first commit": ("POST /api/.*/commit/", 0),
    "between commits": ("POST /api/.*/commit/", 2),
    "before the last commit": ("POST /api/.*/commit/", 5),
}


def as_code(directory):
    return PUBLISH.format(directory=str(directory))


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_repeated_is_complete(moment, hub, as_user, user_env, toys, bytes_of):
    pattern, skip = MOMENTS[moment]
    hub.part_bytes = 16 * 1024
    seen = []
    process = subprocess.Popen(
        [sys.executable, "-c", as_code(toys(**STORED))], env=user_env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )

    def kill(request):
        if re.search(pattern, request):
            seen.append(request)
            if len(seen) == skip + 1:
                os.kill(process.pid, signal.SIGKILL)

    hub.watch = kill
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    hub.watch = None
    assert "manifest.json" not in hub.repo("lab/toys").files(), "what is not complete does not look complete"
    stored = set(hub.store.large)
    hub.log.clear()
    done = as_user(code=as_code(toys(**STORED)))
    assert done.returncode == 0, done.stderr
    assert not any(oid in request for oid in stored for _, request, _ in hub.log if "PUT" in request)
    there = contents(hub.repo("lab/toys"))
    assert {path: there[path] for path in bytes_of(toys(**STORED)) if "/" in path} == {
        path: sha256 for path, sha256 in bytes_of(toys(**STORED)).items() if "/" in path
    }
    assert as_user("publish", toys(**STORED), "lab/toys", "--dry-run").stdout.count("\n") == len(there) + 1


#: what goes wrong and is mended by itself -> (request, how it fails)
HICCUPS = {
    "asked to wait": ("PUT /put", {"status": 429, "headers": {"Retry-After": "0"}}),
    "asked to wait with a commit": (
        "POST /api/.*/commit/",
        {"status": 429, "headers": {"Retry-After": "1"}, "times": 2},
    ),
    "asked to wait with the listing": ("GET /api/.*/tree", {"status": 429, "headers": {"Retry-After": "0"}}),
    "asked to wait before anything": ("GET /api/whoami", {"status": 429, "headers": {"Retry-After": "1"}}),
    "storage out of order": ("PUT /put", {"status": 500, "times": 2}),
    "commit out of order": ("POST /api/.*/commit/", {"status": 503, "times": 2}),
    "cut in the middle of a file": ("PUT /put", {"after_bytes": 5000}),
    "cut in the middle of a commit": ("POST /api/.*/commit/", {"after_bytes": 50}),
    "batch out of order": ("POST .*/objects/batch", {"status": 502}),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", HICCUPS)
def test_a_hiccup_is_waited_out(what, hub, as_user, toys):
    request, how = HICCUPS[what]
    hub.fail(request, **how)
    done = as_user(code=as_code(toys()))
    assert done.returncode == 0, done.stderr
    assert not hub.faults, "it did happen"
    assert "manifest.json" in hub.repo("lab/toys").files()
    assert "http://" not in done.stderr, "no addresses of uploads on the terminal"


def test_a_commit_whose_answer_was_lost_is_not_made_twice(hub, as_user, toys):
    hub.fail("POST /api/.*/commit/", lose_answer=True)
    done = as_user(code=as_code(toys()))
    assert done.returncode == 0, done.stderr
    assert not hub.faults
    messages = hub.repo("lab/toys").messages
    assert len(messages) == len(set(messages))


@pytest.mark.slow
@pytest.mark.parametrize(("status", "words"), [(500, "out of order .status 500."), (429, "asks for fewer requests")])
def test_what_does_not_mend_is_one_line(status, words, hub, as_user, toys):
    hub.fail("POST /api/.*/commit/", status=status, times=99)
    done = as_user(code=as_code(toys()))
    assert done.returncode == 2
    assert re.search(
        f"^occbench: cannot publish to lab/toys: .*{words}.*same command goes on", done.stderr, re.MULTILINE
    )
    assert "Traceback" not in done.stderr
    hub.faults.clear()
    assert as_user(code=as_code(toys())).returncode == 0


@pytest.mark.slow
def test_an_unreachable_hub_is_one_line(as_user, toys, hub):
    hub.fail("GET /api/whoami", after_bytes=0, times=99)
    done = as_user("publish", toys(), "lab/toys")
    assert done.returncode == 2
    assert "occbench: cannot publish to lab/toys: the connection to the Hub failed" in done.stderr
    assert "Traceback" not in done.stderr
