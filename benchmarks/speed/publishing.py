"""Publishing a dataset to a Hub beside hashing and copying its files, and beside the Hub's own client.

The Hub is the tests' one, in a process of its own on this machine (``tests/publish/hub_server.py``); its time is not
counted, nor a network's. It is emptied before every upload: files that it has are not sent again. `publish`: files
hashed and held against the manifest, card, metadata, several commits, the manifest last. `upload_folder`: the client's
one call.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from occbench.core.hub import parse_repo
from occbench.generate.run import generate
from occbench.publish.dataset import Publication, dataset_bundle
from occbench.publish.hub import page_of, publish

from .generating import FORMATS
from .photographs import copy_photos, emptied, recipe
from .settings import Settings
from .turns import Row, compare, processor_clock, take_turns

_TOKEN: Final = "hf_speed"
_REPO: Final = "alice/speed"
_CHUNK_BYTES: Final = 2**20


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this measurement."""
    if "huggingface_hub" in sys.modules:
        raise SystemExit("the Hub's client was imported before its environment was set: nothing was sent.")
    with TemporaryDirectory() as name, _running() as (hub, endpoint):
        folder = Path(name)
        os.environ |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "home"), "HF_TOKEN": _TOKEN}
        os.environ |= {
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "NO_PROXY": "127.0.0.1,localhost",
        }
        os.environ.pop("HF_HUB_OFFLINE", None)
        images = settings.many(500, least=4)
        copy_photos(settings.photos, images, folder / "photos")
        dataset = folder / "dataset"
        storage = FORMATS["Parquet, spliced JPEG"] | {"rows_per_shard": 1200}
        generate(recipe(**storage), dataset, source_path=str(folder / "photos"))
        size = sum(file.stat().st_size for file in dataset.rglob("*") if file.is_file())
        ways = {
            "publish": lambda: _publish(dataset, hub),
            "hash and copy": lambda: _hash_and_copy(dataset, folder / "copy"),
            "upload_folder": lambda: _upload_folder(dataset, hub),
        }
        seconds = take_turns(ways, settings.turns, processor_clock)
    rows = images * len(recipe().conditions())
    for other in ("hash and copy", "upload_folder"):
        yield compare(
            f"publish / {other}", seconds, ("publish", other), rows, processor_clock, "times as long",
            mb=round(size / 1e6, 1), images=images,
        )  # fmt: skip


def _publish(dataset: Path, hub: Connection) -> None:
    _empty(hub)
    repo = parse_repo(_REPO)
    how = Publication(repo, page_of("dataset", repo), licence="cc-by-4.0")
    if not publish(dataset_bundle(dataset, how), repo).sent:
        raise RuntimeError("nothing was sent")


def _upload_folder(dataset: Path, hub: Connection) -> None:
    from huggingface_hub import HfApi

    _empty(hub)
    api = HfApi()
    api.create_repo(_REPO, repo_type="dataset")
    api.upload_folder(repo_id=_REPO, repo_type="dataset", folder_path=dataset)


def _hash_and_copy(dataset: Path, to: Path) -> None:
    with emptied(to):
        for number, file in enumerate(path for path in sorted(dataset.rglob("*")) if path.is_file()):
            digest = hashlib.sha256()
            with file.open("rb") as source, (to / str(number)).open("wb") as target:
                while chunk := source.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    target.write(chunk)
            digest.hexdigest()


@contextmanager
def _running() -> Iterator[tuple[Connection, str]]:
    """Run the Hub in a process of its own; yield the line to it and its address."""
    context = get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=_serve, args=(its,), daemon=True)
    process.start()
    its.close()
    try:
        yield ours, ours.recv()
    finally:
        ours.close()
        process.join()


def _empty(hub: Connection) -> None:
    hub.send("empty")
    hub.recv()


def _serve(line: Connection) -> None:
    """Serve until the line is closed; empty the Hub whenever it is asked for."""
    from tests.publish.hub_server import running
    from tests.publish.hub_store import Store

    def empty() -> Store:
        return Store(tokens={_TOKEN: ("alice", "write")})

    with running(empty()) as hub:
        line.send(hub.endpoint)
        while True:
            try:
                line.recv()
            except EOFError:
                return
            hub.store = empty()
            line.send("emptied")
