"""One process at a time works in a cell's directory, and a lock dies with its holder."""

import os
import signal
import subprocess
import sys

import pytest

from occbench.bench.protocol.cell import cells
from occbench.bench.running.home import exclusive, stored_manifest
from occbench.core.errors import DatasetError, StorageError

HOLD = """
import sys, time
from pathlib import Path
from occbench.core.files import PART_SUFFIX
import fcntl, os
home = Path(sys.argv[1])
home.mkdir()
descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(descriptor, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_keeps_others_out_until_its_holder_is_gone(tmp_path):
    home = tmp_path / "home"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(home)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StorageError, match="another process is training or scoring"), exclusive(home):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with exclusive(home):
        pass


def test_a_directory_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write"), exclusive(tmp_path / "file" / "home"):
        pass


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"facts": '])
def test_a_manifest_that_is_none_is_named(tmp_path, tiny_benchmark, content):
    cell = next(cells(tiny_benchmark(), {}, "images"))
    assert stored_manifest(tmp_path, cell) is None
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(DatasetError, match=r"manifest\.json is damaged .*delete that one file and run again"):
        stored_manifest(tmp_path, cell)
