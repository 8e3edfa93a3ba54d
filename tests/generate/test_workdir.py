"""The output directory after accidents. Imports little, because worker processes import this file, too."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from occbench.core.errors import StorageError
from occbench.core.files import PART_SUFFIX
from occbench.core.interfaces import Executor
from occbench.data.layout import WORK_FOLDER
from occbench.engine.local import LocalExecutor
from occbench.generate.local_workdir import LocalWorkdir
from occbench.generate.plan import plan
from occbench.generate.run import generate


@dataclass(frozen=True)
class LosesAWorker(Executor):
    """Has real workers, of which one is killed by the first item and leaves its file behind."""

    def map(self, job, items):
        marker = items[0].directory / WORK_FOLDER / "died"
        yield from LocalExecutor(1).map(DieFirst(job, str(marker)), items)


@dataclass(frozen=True)
class DieFirst:
    job: object
    marker: str

    def __call__(self, item):
        if not Path(self.marker).exists():
            Path(self.marker).touch()
            part = item.file("clean", f".parquet.{os.getpid()}{PART_SUFFIX}")
            part.parent.mkdir(exist_ok=True)
            part.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.job(item)


PNG = {"layout": "materialised"}


def test_a_worker_that_dies_leaves_no_trace(tmp_path, tiny_recipe, tiny_images, finished, bytes_of):
    generate(tiny_recipe(**PNG), tmp_path / "out", source_path=str(tiny_images), executor=LosesAWorker())
    assert bytes_of(tmp_path / "out") == bytes_of(finished(**PNG))


@pytest.fixture
def workdir(tmp_path, tiny_recipe, tiny_images):
    recipe = tiny_recipe()
    planned = plan(recipe, recipe.open_source(str(tiny_images)), str(tiny_images))
    return lambda: LocalWorkdir(tmp_path / "out", planned)


def test_a_claim_ends_with_its_block_however_it_ends(workdir):
    def fail():
        with workdir().claimed():
            with pytest.raises(StorageError, match="another process is making"), workdir().claimed():
                pass
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fail()


def test_claiming_touches_nothing_but_the_work_folder(workdir, tmp_path):
    assert not workdir().complete
    assert list(tmp_path.iterdir()) == []
    with workdir().claimed():
        assert workdir().finished([]) == {}
    assert [path.name for path in (tmp_path / "out").iterdir()] == [WORK_FOLDER]
    workdir().close()
    assert list((tmp_path / "out").iterdir()) == []
