"""The real client publishes to a Hub on this machine: all arrives, once, whatever goes wrong on the way."""

import hashlib
import json
import re

import pytest

from .conftest import TOKEN

STORED = {"layout": "materialised"}


def contents(repo):
    """{path: SHA-256} of a repository's files."""
    return {
        path: hashlib.sha256(blob.content).hexdigest()
        for path, blob in repo.files().items()
        if path != ".gitattributes"
    }


def test_a_dataset_arrives_whole_and_a_repeated_command_sends_nothing(hub, as_user, toys, bytes_of):
    first = as_user("publish", toys(**STORED), "lab/toys")
    assert first.returncode == 0, first.stderr
    there, here = contents(hub.repo("lab/toys")), bytes_of(toys(**STORED))
    assert there.keys() - here.keys() == {"croissant.json", "preview.png"}
    changed = {path for path in here if there[path] != here[path]}
    assert changed == {"README.md", "manifest.json"}
    assert hub.repo("lab/toys").messages[-1].startswith("Publish manifest.json"), "the manifest goes last"
    sent, commits = hub.count("PUT"), len(hub.repo("lab/toys").messages)
    second = as_user("publish", toys(**STORED), "lab/toys")
    assert second.returncode == 0, second.stderr
    assert f"0 files sent (0 B), {len(there)} were there already" in second.stdout
    assert (hub.count("PUT"), len(hub.repo("lab/toys").messages)) == (sent, commits)


def test_what_was_published_is_a_sound_dataset(hub, as_user, toys, tmp_path):
    assert as_user("publish", toys(**STORED), "lab/toys").returncode == 0
    got = str(tmp_path / "got")
    fetch = f"import huggingface_hub as hub; hub.snapshot_download('lab/toys', repo_type='dataset', local_dir={got!r})"
    assert as_user(code=fetch).returncode == 0
    checked = as_user("verify", tmp_path / "got")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "sound" in checked.stdout


def test_the_token_goes_to_the_hub_only_and_is_printed_nowhere(hub, as_user, toys, tmp_path, home):
    done = as_user("publish", toys(**STORED), "lab/toys", env={"HF_DEBUG": "1"})
    assert done.returncode == 0
    assert TOKEN not in done.stdout + done.stderr
    assert {token for host, _, token in hub.log if host == "localhost"} == {""}
    assert TOKEN in {token for host, _, token in hub.log if host == "127.0.0.1"}
    files = (path for folder in (tmp_path, home) for path in folder.rglob("*") if path.is_file())
    holders = [path for path in files if TOKEN.encode() in path.read_bytes()]
    assert [path.name for path in holders] == ["token"], "where the login put it, and nowhere else"


def test_a_dry_run_lists_every_file_and_byte_and_asks_nobody(hub, as_user, toys):
    done = as_user("publish", toys(**STORED), "lab/toys", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert not hub.log
    lines = [line.split() for line in done.stdout.splitlines()[:-1]]
    listed = {path: int(size.replace(",", "")) for size, path in lines}
    assert as_user("publish", toys(**STORED), "lab/toys").returncode == 0
    there = {path: len(blob.content) for path, blob in hub.repo("lab/toys").files().items() if path != ".gitattributes"}
    assert listed == there
    assert f"{sum(there.values()):,} bytes" in done.stdout


#: what goes wrong -> (request, answer, words of the one line)
REFUSALS = {
    "expired token": (
        "GET /api/whoami",
        {"status": 401, "body": {"error": "Invalid credentials"}},
        "token.*hf auth login",
    ),
    "token expires on the way": ("POST .*/commit/", {"status": 401, "times": 99}, "token.*hf auth login"),
    "foreign namespace": ("POST /api/repos/create", {"status": 403}, "may not do this.*Check the namespace"),
    "missing namespace": ("POST /api/repos/create", {"status": 404}, "no such repository or namespace"),
    "full quota": ("POST .*batch", {"status": 413, "body": {"error": "storage limit"}}, "is full .storage limit"),
    "full disk there": ("PUT /put", {"status": 507, "times": 99}, "is full"),
}


@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=[pytest.mark.slow] * (what != "expired token")) for what in REFUSALS]
)
def test_a_refusal_is_one_line_and_the_next_run_goes_on(what, hub, as_user, toys):
    request, answer, words = REFUSALS[what]
    hub.fail(request, **answer)
    done = as_user("publish", toys(), "lab/toys")
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("occbench: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(words, lines[0]), lines[0]
    hub.faults.clear()
    assert as_user("publish", toys(), "lab/toys").returncode == 0
    assert json.loads(hub.repo("lab/toys").files()["manifest.json"].content)["images"] == 6
