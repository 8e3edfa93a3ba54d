"""Kill -9 at random moments: generate, train, score and publish, each resumed by the same command.

    OMP_NUM_THREADS=1 python benchmarks/endurance/kills.py --out FILE.json [--kills 10] [--stages train,score]

A stage is one command. It runs once undisturbed, which gives its duration and its result; then, for every kill, it runs
in a fresh place, is killed at a moment drawn uniformly over that duration, and the same command is given again. Half of
the kills hit the whole process group, half the main process alone, whose workers must end by themselves. Results are
compared file by file; the only exceptions are entries of a run's manifest that say how long something took (``TIMES``).
Publishing goes to a Hub on this machine, the tests' own double of its HTTP API. Exit code 1: something differs.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from record import machine, write_model

from occbench.core.files import write_json
from occbench.core.seeding import stream

#: Entries of a manifest that measure, and so differ from run to run; every other byte must be equal.
TIMES = ("bare_images_per_s", "images_per_s", "score_s", "train_s")
#: How long workers may go on after their main process is gone, seconds.
_PATIENCE_S = 30
_TOKEN = "hf_TokenOfNobody"
_PYTHON = (sys.executable, "-m", "occbench")


class Stage(ABC):
    """One command, and where its result lies."""

    @abstractmethod
    def command(self, place: Path) -> list[str]:
        """Return the command that works in a place."""

    @abstractmethod
    def result(self, place: Path) -> dict[str, str]:
        """Return {path: hash} of everything that the command left."""

    def environment(self) -> dict[str, str]:
        """Return what the command's environment has beside this process's."""
        return {}

    def prepare(self, place: Path) -> None:
        """Make sure that nothing of an earlier place is in the way."""
        if place.exists():
            raise RuntimeError(f"{place} has been used already")


@dataclass(frozen=True)
class Local(Stage):
    """A command whose last option names the folder that it writes."""

    arguments: tuple[str, ...]

    def command(self, place: Path) -> list[str]:
        """As ``Stage``."""
        return [*_PYTHON, *self.arguments, str(place)]

    def result(self, place: Path) -> dict[str, str]:
        """As ``Stage``: every file below the place."""
        files = sorted(path for path in place.rglob("*") if path.is_file())
        return {path.relative_to(place).as_posix(): _hash(path) for path in files}


class Published(Stage):
    """A dataset sent to the Hub of the tests, which answers after a delay as one far away does."""

    def __init__(self, dataset: Path, hub: Any, home: Path) -> None:  # noqa: ANN401 - the tests' own Hub
        self._dataset, self._hub, self._home = dataset, hub, home

    def command(self, place: Path) -> list[str]:  # noqa: ARG002 - the repository is the place
        """As ``Stage``."""
        return [*_PYTHON, "publish", str(self._dataset), "lab/killed"]

    def environment(self) -> dict[str, str]:
        """As ``Stage``: where the Hub is, as its client's documentation says."""
        return {
            "HF_ENDPOINT": self._hub.endpoint, "HF_HOME": str(self._home), "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1,localhost",
        }  # fmt: skip

    def result(self, place: Path) -> dict[str, str]:  # noqa: ARG002
        """As ``Stage``: every file of every repository."""
        repositories = self._hub.store.repos.values()
        return {
            f"{repo.kind}/{repo.name}/{path}": sha256(blob.content).hexdigest()
            for repo in repositories
            for path, blob in repo.files().items()
        }

    def prepare(self, place: Path) -> None:
        """As ``Stage``: the Hub is emptied."""
        super().prepare(place)
        from tests.publish.hub_store import Store

        self._hub.store = Store(tokens={_TOKEN: ("alice", "write")}, members={"alice": ("lab",)})


def main() -> None:
    options = _options()
    outcome: dict[str, Any] = machine(("occbench", "torch", "numpy", "pyarrow", "huggingface_hub"))
    earlier = json.loads(options.out.read_text(encoding="utf-8"))["stages"] if options.out.is_file() else {}
    outcome |= {"seed": options.seed, "ignored_entries_of_manifests": list(TIMES), "stages": earlier}
    with TemporaryDirectory(prefix="kills-", dir=options.folder) as name, _stages(Path(name)) as stages:
        for stage in options.stages:
            outcome["stages"][stage] = _killed(stage, stages[stage], Path(name), options)
            outcome["equal"] = all(kill["equal"] for one in outcome["stages"].values() for kill in one["kills"])
            write_json(options.out, outcome)
    print(json.dumps({name: one["summary"] for name, one in outcome["stages"].items()}, indent=2))
    sys.exit(0 if outcome["equal"] else 1)


def _killed(name: str, stage: Stage, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run a stage undisturbed, then with a kill in each of several fresh places."""
    place = folder / name / "undisturbed"
    stage.prepare(place)
    started = time.monotonic()
    _run(stage, place, folder)
    duration_s = time.monotonic() - started
    expected = stage.result(place)
    kills: list[dict[str, Any]] = []
    late = 0
    while len(kills) < options.kills:
        draws = stream(options.seed, name, len(kills), "kill", late)
        moment_s, group = draws.uniform(0.0, duration_s), len(kills) % 2 == 0
        place = folder / name / f"kill-{len(kills)}-{late}"
        stage.prepare(place)
        if not _kill(stage, place, folder, moment_s, group):
            late += 1  # it was over before: another moment is drawn
            continue
        left = stage.result(place)
        started = time.monotonic()
        _run(stage, place, folder)
        found = stage.result(place)
        differing = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
        kills.append(
            {
                "moment_s": round(moment_s, 2), "killed": "process group" if group else "main process",
                "files_then": len(left), "final_files_then": len(left.items() & expected.items()),
                "resumed_s": round(time.monotonic() - started, 2), "equal": not differing, "differing": differing,
            }
        )  # fmt: skip
        print(f"{name}: {kills[-1]}", flush=True)
    equal = sum(kill["equal"] for kill in kills)
    return {
        "command": " ".join(["occbench", *stage.command(Path("PLACE"))[len(_PYTHON) :]]).replace(f"{folder}/", ""),
        "undisturbed_s": round(duration_s, 2), "files": len(expected), "over_before_the_kill": late,
        "summary": f"{equal} of {len(kills)} equal", "kills": kills,
    }  # fmt: skip


def _run(stage: Stage, place: Path, folder: Path) -> None:
    done = subprocess.run(
        stage.command(place), env={**os.environ, **stage.environment()}, cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(stage.command(place))} ended with {done.returncode}:\n{done.stderr[-3000:]}")


def _kill(stage: Stage, place: Path, folder: Path, moment_s: float, group: bool) -> bool:
    """Start a stage and kill it; return whether it was still running. Its workers are gone afterwards."""
    process = subprocess.Popen(
        stage.command(place), env={**os.environ, **stage.environment()}, cwd=folder, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(moment_s)
    running = process.poll() is None
    if running and group:
        os.killpg(process.pid, signal.SIGKILL)
    elif running:
        process.kill()
    process.wait()
    end = time.monotonic() + _PATIENCE_S
    while _is_group(process.pid):
        if time.monotonic() > end:
            os.killpg(process.pid, signal.SIGKILL)
            raise RuntimeError(f"workers of {' '.join(stage.command(place))} live {_PATIENCE_S} s after its end")
        time.sleep(0.02)
    return running


def _is_group(number: int) -> bool:
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


def _hash(path: Path) -> str:
    """Return a file's hash; of a run's manifest without what it measured."""
    content = path.read_bytes()
    if path.name == "manifest.json":
        held = json.loads(content)
        content = json.dumps({key: value for key, value in held.items() if key not in TIMES}, sort_keys=True).encode()
    return sha256(content).hexdigest()


@contextmanager
def _stages(folder: Path) -> Iterator[dict[str, Stage]]:
    """Make what the stages need, and yield them by name."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.publish.hub_server import running
    from tests.publish.hub_store import Store

    dataset, many_images = folder / "many-files", folder / "many-images"
    weights, home = folder / "tiny.safetensors", folder / "home"
    home.mkdir()
    (home / "token").write_text(_TOKEN, encoding="utf-8")
    write_model(weights)
    many_files = ("--materialise", "--limit", "240", "--set", "storage.rows_per_shard=24")
    _run(Local(("generate", "quickstart", *many_files, "--out")), dataset, folder)
    _run(Local(("generate", "quickstart", "--limit", "360", "--out")), many_images, folder)
    generate = (
        "generate",
        "quickstart",
        "--materialise",
        "--workers",
        "2",
        "--limit",
        "360",
        "--set",
        "storage.rows_per_shard=240",
    )
    train = (
        *("run-benchmark", "quickstart", "--arms", "C,C-Full", "--jobs", "2", "--threads", "1", "--test-images", "36"),
        *("--set", "warm_up.epochs=4", "--set", "train.epochs=5", "--set", "source.images_per_class=24"),
        *("--set", "split.test_per_class=5", "--set", "split.test_source.images_per_class=5", "--runs"),
    )
    score = ("score", "--model", "tiny", "--weights", str(weights), "--data", str(many_images), "--out")
    with running(Store()) as hub:
        hub.watch = lambda _: time.sleep(0.02)
        yield {
            "generate": Local((*generate, "--out")),
            "train": Local(train),
            "score": Local(score),
            "publish": Published(dataset, hub, home),
        }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--out", type=Path, required=True, help="JSON file to write; what it has of other stages is kept"
    )
    parser.add_argument("--kills", type=int, default=10, help="of each stage")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--stages", type=lambda text: text.split(","), default=["generate", "train", "score", "publish"]
    )
    parser.add_argument("--folder", type=Path, help="for what is made; the system's temporary folder by default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
