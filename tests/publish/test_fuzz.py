"""Whatever a file of a dataset holds, its readers answer with data or with an error of ours, and with nothing else."""

import contextlib
import json
import shutil
import warnings

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from occbench.core.errors import OccbenchError
from occbench.core.files import hash_file
from occbench.data.datasets import StoredDataset, VirtualDataset, load
from occbench.data.kit import keys_file, read_kit
from occbench.data.layout import REBUILD_FILE
from occbench.data.manifest import read_manifest
from occbench.data.recipe import load_recipe
from occbench.data.verify import verify
from occbench.publish.dataset import Publication, RepoName, dataset_bundle
from occbench.publish.runs import runs_bundle

STORED = {"layout": "materialised"}
PUBLICATION = Publication(RepoName("lab/toys"), "https://hub/lab/toys", licence="mit")

#: How many cases each reader gets: (in the quick tests, before a release).
CASES = {"quick": 8, "slow": 1300}

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
NASTY = st.sampled_from(
    [
        "",
        ".",
        "..",
        "/",
        "../../x",
        "/etc/passwd",
        "a\0b",
        "\ud800",
        "x" * 5000,
        "{{ m }}",
        "<script>",
        -1,
        2**70,
        1e400,
    ]
)
RUNS = ["99999x99999:0", "48x48:0", "48x48:PPPPPPPP", "0x0:0", "1x1:" + "o" * 300, "4294967297x1:1", "48x48:YR1"]
VALUES = st.recursive(
    SCALARS | NASTY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw, content):
    """Bytes with some of them changed, cut off, doubled or put elsewhere."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        how = draw(st.sampled_from(["flip", "set", "cut", "insert", "remove"]))
        if how == "flip" and content:
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif how == "set" and content:
            content[place] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x22, 0x5B]))
        elif how == "cut":
            del content[place:]
        elif how == "insert":
            content[place:place] = draw(st.binary(min_size=1, max_size=8))
        elif how == "remove":
            del content[place : place + draw(st.integers(1, 64))]
    return bytes(content)


@st.composite
def changed(draw, value):
    """JSON of which some values are others, missing or too many."""
    value = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 2))):
        place, key = [value], 0
        while isinstance(place[key], dict | list) and place[key] and draw(st.integers(0, 5)):
            place = place[key]
            key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if draw(st.booleans()) or place is not value:
            how = draw(st.sampled_from(["replace", "remove", "add"]))
            if how == "remove":
                del place[key]
            elif how == "add" and isinstance(place, dict):
                place[draw(st.text(max_size=8))] = draw(VALUES)
            else:
                place[key] = draw(VALUES)
    return value


def fuzz(test):
    """Run a test of one reader quickly, and thoroughly as a slow test."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]

    @pytest.mark.parametrize("cases", [CASES["quick"], pytest.param(CASES["slow"], marks=pytest.mark.slow)])
    def run(cases, request):
        arguments = {name: request.getfixturevalue(name) for name in test.__annotations__}

        @settings(max_examples=cases, deadline=None, database=None, derandomize=True, suppress_health_check=checks)
        @given(st.data())
        def case(data):
            with warnings.catch_warnings(), contextlib.suppress(OccbenchError):
                warnings.simplefilter("ignore")
                test(data, **arguments)

        case()

    run.__doc__ = test.__doc__
    return run


@pytest.fixture
def copy(toys, tmp_path):
    return shutil.copytree(toys(**STORED), tmp_path / "copy")


@pytest.fixture
def tars(toys, tmp_path):
    made = toys(layout="materialised", format="webdataset", rows_per_shard=4)
    return shutil.copytree(made, tmp_path / "tars")


def with_hashes_that_fit(directory):
    """Change a manifest as somebody would who changed the files on purpose."""
    manifest = read_manifest(directory)
    files = tuple(
        entry.model_copy(update={"bytes": path.stat().st_size, "sha256": hash_file(path)})
        for entry in manifest.files
        if (path := directory / entry.path).is_file()
    )
    manifest.model_copy(update={"files": files}).sealed().write(directory)


def write(path, content):
    path.write_text(json.dumps(content).encode("utf-8", "surrogatepass").decode("utf-8", "replace"))


def read_everything(directory):
    """Do with a directory what users do with one."""
    dataset = load(directory)
    for index in (0, 5, len(dataset) - 1):
        dataset[index]
    VirtualDataset(directory)[1]
    dataset_bundle(directory, PUBLICATION)


@fuzz
def test_a_manifest_of_damaged_bytes(data, copy: None, toys: None):
    content = (toys(**STORED) / "manifest.json").read_bytes()
    (copy / "manifest.json").write_bytes(data.draw(damaged(content)))
    read_everything(copy)


@fuzz
def test_a_manifest_of_other_values(data, copy: None, toys: None):
    content = json.loads((toys(**STORED) / "manifest.json").read_text())
    write(copy / "manifest.json", data.draw(changed(content)))
    read_manifest(copy)
    read_everything(copy)


@fuzz
def test_a_recipe(data, tmp_path: None, toys: None):
    recipe = json.loads((toys(**STORED) / "manifest.json").read_text())["recipe"]
    text = yaml.safe_dump(recipe).encode()
    file = tmp_path / "recipe.yaml"
    if data.draw(st.booleans()):
        file.write_bytes(data.draw(damaged(text)))
    else:
        file.write_text(yaml.safe_dump(data.draw(changed(recipe)), allow_unicode=False), errors="replace")
    loaded = load_recipe(str(file))
    loaded.conditions()
    loaded.pixels_fingerprint()


@fuzz
def test_a_shard_of_damaged_bytes(data, copy: None, toys: None):
    name = data.draw(st.sampled_from(["occluded/shard-00001.parquet", "clean/shard-00001.parquet"]))
    (copy / name).write_bytes(data.draw(damaged((toys(**STORED) / name).read_bytes())))
    try:
        for dataset in (StoredDataset(copy), VirtualDataset(copy)):
            dataset[9]
            dataset[15]
    finally:
        shutil.copy(toys(**STORED) / name, copy / name)


@fuzz
def test_a_shard_of_other_values(data, copy: None, toys: None):
    """A stranger can write sound Parquet with anything in it."""
    name = data.draw(st.sampled_from(["occluded/shard-00001.parquet", "clean/shard-00001.parquet"]))
    with pq.ParquetFile(toys(**STORED) / name) as shard:
        rows = shard.read().to_pylist()
    row = data.draw(st.sampled_from(rows))
    column = data.draw(st.sampled_from(sorted(row)))
    if column == "image" and data.draw(st.booleans()):
        row["image"]["bytes"] = data.draw(damaged(row["image"]["bytes"]))
    elif column == "masks" and data.draw(st.booleans()):
        row["masks"] = [{"name": "", "rle": data.draw(st.sampled_from(RUNS) | st.text(max_size=12))}]
    elif data.draw(st.booleans()):
        rows = [{name: value for name, value in row.items() if name != column} for row in rows]
    else:
        row[column] = data.draw(VALUES)
    with contextlib.suppress(pa.ArrowException, OverflowError, UnicodeEncodeError, TypeError):  # no Parquet holds it
        pq.write_table(pa.Table.from_pylist(rows), copy / name, row_group_size=4)
    try:
        with_hashes_that_fit(copy)
        for dataset in (StoredDataset(copy), VirtualDataset(copy)):
            for index in range(8, 16):
                dataset[index]
        verify(copy)
    finally:
        for stale in (name, "manifest.json"):
            shutil.copy(toys(**STORED) / stale, copy / stale)


@fuzz
def test_a_tar_shard_whose_hash_fits(data, tars: None):
    file = tars / "occluded" / "shard-00000.tar"
    content = file.read_bytes()
    sound = (tars / "manifest.json").read_bytes()
    file.write_bytes(data.draw(damaged(content)))
    try:
        with_hashes_that_fit(tars)
        verify(tars)
    finally:
        file.write_bytes(content)
        (tars / "manifest.json").write_bytes(sound)


@fuzz
def test_patterns_keys_and_quarantine_of_damaged_bytes(data, copy: None, toys: None):
    made = toys(**STORED)
    name = data.draw(st.sampled_from(["patterns.parquet", "quarantine.jsonl", "keys.parquet", REBUILD_FILE]))
    shutil.copy(made / "manifest.json", copy / REBUILD_FILE)
    (copy / "keys.parquet").write_bytes(keys_file(made, read_manifest(made)))
    (copy / name).write_bytes(data.draw(damaged((copy / name).read_bytes())))
    try:
        read_kit(copy)
        dataset_bundle(copy, PUBLICATION)
    finally:
        for stale in ("patterns.parquet", "quarantine.jsonl"):
            shutil.copy(made / stale, copy / stale)


@fuzz
def test_runs_of_other_values(data, tmp_path: None):
    from .test_runs import REPO, RUN, make_run

    home = tmp_path / "runs" / RUN
    if not home.exists():
        make_run(tmp_path / "runs")
        shutil.copytree(home, tmp_path / "sound")
    name = data.draw(st.sampled_from(["manifest.json", "records.jsonl"]))
    content = (tmp_path / "sound" / name).read_bytes()
    if name == "manifest.json" and data.draw(st.booleans()):
        write(home / name, data.draw(changed(json.loads(content))))
    else:
        (home / name).write_bytes(data.draw(damaged(content)))
    try:
        runs_bundle(tmp_path / "runs", {"report.md": b""}, REPO)
    finally:
        shutil.copy(tmp_path / "sound" / name, home / name)


def same_json(one, other):
    return json.loads(one) == json.loads(other)


@pytest.mark.slow
def test_verify_says_what_is_wrong_and_never_stumbles(toys, tmp_path):
    made = toys(**STORED)
    files = sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())

    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def case(data):
        name = data.draw(st.sampled_from(files))
        content = (made / name).read_bytes()
        spoilt = data.draw(damaged(content))
        target = tmp_path / "copy"
        if not target.exists():
            shutil.copytree(made, target)
        (target / name).write_bytes(spoilt)
        try:
            found = verify(target)
            assert found.problems or spoilt == content or (name == "manifest.json" and same_json(spoilt, content))
        except OccbenchError:
            assert spoilt != content
        finally:
            (target / name).write_bytes(content)

    case()
