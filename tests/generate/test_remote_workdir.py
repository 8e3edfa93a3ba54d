"""A dataset in an object store is the dataset of a local run, whatever interrupts it, and is read from there.

The store is moto's S3 server on this machine; the client is the one that users have.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
import torch

import occbench
from occbench.core.errors import ConfigError, DatasetError, StorageError
from occbench.core.interfaces import Executor
from occbench.data.places import Place
from occbench.data.remote import local_copy
from occbench.data.verify import verify
from occbench.engine.local import LocalExecutor
from occbench.generate.run import generate

moto = pytest.importorskip("moto.server", reason="the extras s3 and moto are not installed")
pytest.importorskip("s3fs", reason="the extra s3 is not installed")

pytestmark = [
    # the client's sockets are closed when its event loop is collected
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]

PNG = {"layout": "materialised"}
STORAGES = {"virtual": {}, "png": PNG, "tar": {"layout": "materialised", "format": "webdataset"}}


@pytest.fixture(scope="module")
def server():
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    yield "http://{}:{}".format(*running.get_host_and_port())
    running.stop()


@pytest.fixture
def bucket(server, monkeypatch, tmp_path):
    """A new, empty bucket's URL; the environment leads to it."""
    import boto3
    import fsspec

    settings = {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "OCCBENCH_CACHE": str(tmp_path / "cache"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    name = re.sub(r"[^a-z0-9]+", "-", tmp_path.name.lower()).strip("-")
    boto3.client("s3").create_bucket(Bucket=name)
    yield f"s3://{name}"
    fsspec.get_filesystem_class("s3").clear_instance_cache()


@dataclass(frozen=True)
class Interrupted(Executor):
    """Runs items one after the other and ends as if the process had been killed."""

    after: int

    def map(self, job, items):
        for item in items[: self.after]:
            yield item, job(item)
        raise InterruptedError


@pytest.fixture
def download(bytes_of):
    """Return a function from a URL to {name: SHA-256} of everything there."""

    def hashes(url):
        with local_copy(url) as folder:
            return bytes_of(folder)

    return hashes


@pytest.mark.parametrize("storage", STORAGES)
def test_a_dataset_in_a_bucket_is_that_of_a_local_run(bucket, storage, tiny_recipe, tiny_images, finished, download):
    url = f"{bucket}/sets/tiny"
    manifest = generate(tiny_recipe(**STORAGES[storage]), url, source_path=str(tiny_images))
    here = finished(**STORAGES[storage])
    assert manifest == occbench.data.manifest.read_manifest(here)
    assert set(Place(url).sizes()) == {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()}


def test_an_interrupted_run_goes_on_and_ends_in_the_same_bytes(
    bucket, tiny_recipe, tiny_images, finished, bytes_of, download
):
    url, recipe = f"{bucket}/tiny", tiny_recipe(**PNG)

    def run(**options):
        return generate(recipe, url, source_path=str(tiny_images), **options)

    with pytest.raises(InterruptedError):
        run(executor=Interrupted(after=3))
    place = Place(url)
    assert place.read("manifest.json") is None
    with pytest.raises(DatasetError, match=r"holds no finished occbench dataset"):
        occbench.load(url)
    # as left by a worker that died between two files, and by a store that lost one
    place.write("clean/shard-00004.parquet", b"half")
    place.remove(["occluded/shard-00001.parquet"])
    seen = []
    run(executor=LocalExecutor(2), on_progress=seen.append)
    assert seen[0].resumed == 4, "two of the three shards are whole, each of two images"
    assert download(url) == bytes_of(finished(**PNG))
    before = place._listing()
    run()
    assert place._listing() == before, "a finished dataset is left alone"


class CutError(Exception):
    """A connection is cut."""


def test_an_upload_that_is_cut_off_never_shows_as_a_finished_shard(
    bucket, tiny_recipe, tiny_images, finished, bytes_of, download, monkeypatch
):
    url, sent = f"{bucket}/tiny", []
    send = Place.send

    def cut(self, file, name):
        sent.append(name)
        if len(sent) == 5:  # the second shard's second file
            raise CutError
        send(self, file, name)

    monkeypatch.setattr(Place, "send", cut)
    with pytest.raises(CutError):
        generate(tiny_recipe(**PNG), url, source_path=str(tiny_images))
    names = Place(url).sizes().keys()
    assert {name for name in names if name.startswith(".work/shard")} == {".work/shard-00000.json"}
    monkeypatch.setattr(Place, "send", send)
    generate(tiny_recipe(**PNG), url, source_path=str(tiny_images))
    assert download(url) == bytes_of(finished(**PNG))


def test_temporary_folders_go_with_the_run(bucket, tiny_recipe, tiny_images, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with pytest.raises(InterruptedError):
        generate(tiny_recipe(), f"{bucket}/tiny", source_path=str(tiny_images), executor=Interrupted(after=2))
    generate(tiny_recipe(), f"{bucket}/tiny", source_path=str(tiny_images))
    assert list(scratch.iterdir()) == []


def test_a_strangers_python_file_is_not_run(bucket, tiny_recipe, tiny_images, tmp_path):
    url = f"{bucket}/evil"
    generate(tiny_recipe(), url, source_path=str(tiny_images))
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')")
    manifest = json.loads(Place(url).read("manifest.json"))
    manifest["recipe"]["occlusions"][0]["name"] = f"{tmp_path / 'evil.py'}:Evil"
    Place(url).write("manifest.json", json.dumps(manifest).encode())
    with pytest.raises(DatasetError, match=r"a Python file, which is not run"):
        occbench.load(url)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.slow
def test_killed_at_any_moment_and_run_again_gives_the_same_bytes(
    bucket, recipe_file, tiny_recipe, tiny_images, tmp_path, bytes_of, download
):
    storage = {"rows_per_shard": 1, **PNG}
    generate(tiny_recipe(**storage), tmp_path / "whole", source_path=str(tiny_images))
    place = Place(f"{bucket}/tiny")
    command = [sys.executable, "-m", "occbench", "generate", str(recipe_file(**storage)), "--source", str(tiny_images)]
    command += ["--out", place.url, "--workers", "2"]
    for reports in (1, 5):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and sum(name.startswith(".work/shard") for name in place.sizes()) < reports:
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL, "the run must not be over before it is killed"
        assert place.read("manifest.json") is None
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert download(place.url) == bytes_of(tmp_path / "whole")


def test_it_is_read_and_verified_from_there(bucket, tiny_recipe, tiny_images, finished, occbench_cli):
    url = f"{bucket}/tiny"
    generate(tiny_recipe(**PNG), url, source_path=str(tiny_images))
    there, here = occbench.load(url), occbench.load(finished(**PNG))
    assert len(there) == len(here)
    for row in (0, 7, len(here) - 1):
        mine, other = here[row], there[row]
        assert torch.equal(mine.pop("image"), other.pop("image"))
        assert mine == other
    code, out, _ = occbench_cli("verify", url)
    assert code == 0
    assert f"{url}: sound. {len(here.manifest.files)} files re-hashed, {len(here)} rows rendered again" in out
    name = "occluded/shard-00002.parquet"
    Place(url).write(name, Place(url).read(name)[:-1] + b"x")
    Place(url).write("clean/stray.txt", b"")
    code, out, _ = occbench_cli("verify", url)
    assert code == 1
    assert f"{name} has changed" in out
    assert "clean/stray.txt is not in the manifest" in out


def test_what_changed_there_is_not_read_in_silence(bucket, tiny_recipe, tiny_images):
    url = f"{bucket}/tiny"
    generate(tiny_recipe(**PNG), url, source_path=str(tiny_images))
    name = "occluded/shard-00002.parquet"
    Place(url).write(name, Place(url).read(name)[:-1] + b"x")
    with pytest.raises(DatasetError, match=rf"{name} is not the file that the manifest names"):
        occbench.load(url)


def test_photographs_are_read_from_a_bucket(bucket, tiny_recipe, tiny_images, finished, bytes_of, tmp_path):
    for file in tiny_images.rglob("*"):
        if file.is_file():
            Place(f"{bucket}/photos").send(file, file.relative_to(tiny_images).as_posix())
    out = tmp_path / "out"
    generate(tiny_recipe(**PNG), out, source_path=f"{bucket}/photos", executor=LocalExecutor(2))
    assert bytes_of(out) == bytes_of(finished(**PNG))
    assert verify(out).problems == ()
    with pytest.raises(StorageError, match=r"there is nothing at s3://"):
        generate(tiny_recipe(), tmp_path / "other", source_path=f"{bucket}/nothing")


def test_a_place_of_something_else_is_left_alone(bucket, tiny_recipe, tiny_images):
    recipe = tiny_recipe()
    Place(f"{bucket}/notes").write("thesis.txt", b"years of work")
    with pytest.raises(StorageError, match=r"is not empty and is no occbench dataset: it has 1 files, thesis.txt"):
        generate(recipe, f"{bucket}/notes", source_path=str(tiny_images))
    assert Place(f"{bucket}/notes").sizes() == {"thesis.txt": 13}
    url = f"{bucket}/tiny"
    with pytest.raises(InterruptedError):
        generate(recipe, url, source_path=str(tiny_images), executor=Interrupted(after=1))
    with pytest.raises(DatasetError, match=r"holds an unfinished run of another recipe, source or limit"):
        generate(recipe, url, source_path=str(tiny_images), limit=3)
    generate(recipe, url, source_path=str(tiny_images))
    with pytest.raises(DatasetError, match=r"holds a finished dataset of another recipe, source or limit"):
        generate(recipe, url, source_path=str(tiny_images), limit=3)


def test_what_a_store_refuses_is_one_line(bucket, recipe_file, tiny_images, occbench_cli, monkeypatch):
    recipe = recipe_file()
    for url, expected in (
        ("s3://no-such-bucket/tiny", "no-such-bucket/tiny: there is no such bucket or folder. Check the name."),
        ("nosuch://x/tiny", "Protocol not known: nosuch"),
        ("hf://datasets/lab/tiny", "every file sent alone is a commit"),
    ):
        code, _, err = occbench_cli("generate", recipe, "--source", tiny_images, "--out", url)
        assert (code, expected in err) == (2, True), err
        assert "Traceback" not in err
    for url in ("s3://no-such-bucket/tiny", f"{bucket}/nothing"):
        with pytest.raises((StorageError, DatasetError), match=r"no such bucket|holds no finished occbench dataset"):
            occbench.load(url)


@pytest.mark.parametrize("wrong", ["no credentials", "nobody listens"])
def test_a_store_that_cannot_be_used_is_one_line(bucket, recipe_file, tiny_images, tmp_path, wrong):
    changes = {
        "no credentials": {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": str(tmp_path)},
        "nobody listens": {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"},
    }
    expected = {"no credentials": "credentials", "nobody listens": "the connection failed"}
    environment = {
        name: value
        for name, value in {**os.environ, "AWS_EC2_METADATA_DISABLED": "true", **changes[wrong]}.items()
        if value
    }
    command = [sys.executable, "-m", "occbench", "generate", str(recipe_file()), "--source", str(tiny_images)]
    done = subprocess.run(
        [*command, "--out", f"{bucket}/tiny"], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2, done.stderr
    assert expected[wrong] in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_without_s3fs_one_line_says_how_to_get_it(bucket, tiny_recipe, tiny_images, monkeypatch):
    import fsspec

    def missing(*_, **__):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(StorageError, match=r"Install s3fs .*pip install 'occbench\[s3\]'"):
        generate(tiny_recipe(), f"{bucket}/tiny", source_path=str(tiny_images))


def test_the_hub_is_no_place_to_generate_into(tiny_recipe, tiny_images):
    with pytest.raises(ConfigError, match="occbench publish"):
        generate(tiny_recipe(), "hf://datasets/lab/tiny", source_path=str(tiny_images))


@pytest.mark.slow
def test_a_cluster_writes_into_the_bucket(bucket, recipe_file, tiny_images, finished, bytes_of, download):
    pytest.importorskip("ray", reason="the extra ray is not installed")
    command = [sys.executable, "-m", "occbench", "generate", str(recipe_file(**PNG)), "--source", str(tiny_images)]
    command += ["--out", f"{bucket}/tiny", "--engine", "ray", "--address", "local"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    assert download(f"{bucket}/tiny") == bytes_of(finished(**PNG))
