"""A reader: does what a page says, block by block, in one empty folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"(?:ave this as `(?P<file>[\w.-]+)`:\n\n)?```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)
#: A number, and the signs that stand around those of another machine or version.
_NUMBER = re.compile(r"\d[\d,.]*")


class Reader:
    """Follows one page; what was printed since the last ``text`` block is compared with the next one."""

    def __init__(self, cli, capsys, shims):
        self._cli, self._capsys, self._shims = cli, capsys, shims
        self._names = {"__name__": "__main__"}
        self._printed = ""
        self.commands = []

    def follow(self, page):
        """Do every block of a page; a block after "Save this as `name`:" is saved, others are run or compared."""
        found = list(_BLOCK.finditer((DOCS / page).read_text(encoding="utf-8")))
        assert found, f"{page} has no block"
        for block in found:
            if block["file"]:
                Path(block["file"]).write_text(block["text"], encoding="utf-8")
            elif block["language"] != "console":  # shows what happens, to be looked at
                getattr(self, f"_{block['language']}")(block["text"])

    def _sh(self, text):
        for command in text.replace("\\\n", " ").strip().splitlines():
            words = shlex.split(command, comments=True)
            self.commands.append(words)
            if words and words[0] == "occbench":
                code, out, err = self._cli(*words[1:])
                assert code == 0, f"{command}: {err}"
                self._printed += out + err
            elif words:
                self._shell(command)

    def _shell(self, command):
        done = subprocess.run(["bash", "-c", command], env=self._shims, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        self._printed += done.stdout + done.stderr

    def _python(self, text):
        exec(compile(text, "a block", "exec"), self._names)
        self._printed += self._capsys.readouterr().out

    def _text(self, text):
        for line in text.strip().splitlines():
            pattern = _NUMBER.sub(r"\\d[\\d,.]*", re.sub(r"([][(){}.*+?^$|\\])", r"\\\1", line))
            assert re.search(pattern, self._printed), f"{line!r} is not in what was printed:\n{self._printed}"
        self._printed = ""


@pytest.fixture
def reader(tmp_path, monkeypatch, occbench_cli, capsys):
    """A reader in an empty folder, with ``occbench`` on the path of the shell."""

    shims, home = tmp_path / "bin", tmp_path / "home"
    shims.mkdir()
    home.mkdir()
    command = shims / "occbench"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m occbench "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    path = os.pathsep.join([str(DOCS.parent), os.environ.get("PYTHONPATH", "")])
    monkeypatch.chdir(home)
    return Reader(
        occbench_cli, capsys, {**os.environ, "PATH": f"{shims}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": path}
    )


@pytest.fixture
def hooks(monkeypatch):
    """The modules that make pages can be imported by name, as mkdocs imports them."""
    monkeypatch.syspath_prepend(str(DOCS / "hooks"))
