"""One process at a time works in a cell's directory, and a lock dies with its holder."""

import json
import os
import signal
import subprocess
import sys

import pytest

from occbench.bench.protocol.cell import cells
from occbench.bench.scoring.home import exclusive, stored_manifest
from occbench.core.errors import DatasetError, StorageError
from occbench.core.run_folder import RunFolder

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


def test_a_manifest_of_another_run_is_refused_and_left_alone(tmp_path, tiny_benchmark):
    cell = next(cells(tiny_benchmark(), {}, "images"))
    home = RunFolder(tmp_path)
    assert stored_manifest(home, cell.facts) is None
    home.manifest.write_text(json.dumps({"facts": cell.facts | {"seed": 7}}))
    with pytest.raises(DatasetError, match=r"another version of occbench or changed by hand \(other seed\)"):
        stored_manifest(home, cell.facts)
    assert json.loads(home.manifest.read_text())["facts"]["seed"] == 7
    home.manifest.write_text(json.dumps({"facts": cell.facts}))
    assert stored_manifest(home, cell.facts) is not None
