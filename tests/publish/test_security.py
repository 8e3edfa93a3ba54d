"""Nothing that is read can run code or write outside its folder, and nothing that is written needs such a reader."""

import ast
import io
import json
import shutil
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import occbench
from occbench.core.errors import DatasetError, OccbenchError
from occbench.core.files import hash_file
from occbench.data.manifest import read_manifest
from occbench.data.readme import render_card
from occbench.data.verify import verify
from occbench.publish.export import export

PACKAGE = Path(occbench.__file__).parent
STORED = {"layout": "materialised"}

#: Modules whose reading runs what it reads, and who may import them all the same.
CODE_READERS = {
    "pickle": {
        "models/weights.py",  # only to name the error of torch's restricted reader
        "bench/training/validate.py",  # copies an object of this process
    },
    "shelve": set(),
    "marshal": set(),
    "dill": set(),
    "joblib": set(),
    "cloudpickle": set(),
}
#: Calls that write where an archive says, or run a text.
FORBIDDEN = {"extractall", "extract", "unpack_archive", "eval", "exec", "allow_pickle", "unsafe_load", "full_load"}
#: Calls that must say that they run nothing.
MUST_SAY = {"torch.load": "weights_only"}


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def problems_of(file):
    """Yield what a file of ours may not do."""
    name = file.relative_to(PACKAGE).as_posix()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            for module in {module.partition(".")[0] for module in modules} & CODE_READERS.keys():
                if name not in CODE_READERS[module]:
                    yield f"{name}:{node.lineno} imports {module}"
    for called, node in calls(tree):
        last = called.rpartition(".")[2]
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        is_mode = last == "eval" and not node.args  # model.eval()
        said = called not in MUST_SAY or ast.unparse(keywords.get(MUST_SAY[called], ast.Constant(None))) == "True"
        if (last in FORBIDDEN and not is_mode) or FORBIDDEN & keywords.keys() or called == "yaml.load" or not said:
            yield f"{name}:{node.lineno} calls {called}"


def test_no_file_of_ours_reads_code():
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 150
    assert not [problem for file in files for problem in problems_of(file)]


@pytest.mark.parametrize(
    "code",
    ["import pickle", "from pickle import loads", "torch.load(f)", "torch.load(f, weights_only=False)", "eval('x')",
     "np.load(f, allow_pickle=True)", "archive.extractall(out)", "yaml.load(f)", "import joblib.memory"],
)  # fmt: skip
def test_the_scan_finds_what_it_is_for(code, monkeypatch, tmp_path):
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    (tmp_path / "bad.py").write_text(code)
    assert len(list(problems_of(tmp_path / "bad.py"))) == 1


PATHS = [
    "../outside",
    "/outside",
    "a/../../outside",
    "..",
    ".",
    "",
    "a//b",
    "./a",
    "a\\b",
    "c:/x",
    "a\0b",
    ".hidden/x",
    "a/",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_manifest_names_no_file_outside_its_folder(toys, tmp_path, path):
    copy = shutil.copytree(toys(), tmp_path / "copy")
    content = json.loads((copy / "manifest.json").read_text())
    content["files"][0]["path"] = path
    (copy / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="a path inside the directory is needed"):
        read_manifest(copy)


def fit(directory):
    manifest = read_manifest(directory)
    files = tuple(
        entry.model_copy(
            update={"bytes": (directory / entry.path).stat().st_size, "sha256": hash_file(directory / entry.path)}
        )
        for entry in manifest.files
    )
    manifest.model_copy(update={"files": files}).sealed().write(directory)


@pytest.mark.parametrize("form", ["folder", "fiftyone"])
@pytest.mark.parametrize("name", ["../../outside", "/tmp/outside", "a/b", "..", "A", "x" * 300 + "/.."])
def test_a_key_from_parquet_does_not_leave_the_folder(toys, tmp_path, name, form):
    copy = shutil.copytree(toys(**STORED), tmp_path / "copy")
    for shard in ("clean/shard-00000.parquet", "occluded/shard-00000.parquet"):
        with pq.ParquetFile(copy / shard) as file:
            rows = file.read().to_pylist()
            schema = file.schema_arrow
        changed = [{**row, "key": name, "image": {**row["image"], "path": f"{name}.png"}} for row in rows]
        pq.write_table(pa.Table.from_pylist(changed, schema=schema), copy / shard, row_group_size=4)
    fit(copy)
    before = {path for path in tmp_path.rglob("*") if "out" not in path.parts}
    for conditions in (["clean"], ["mug1_20_c"]):
        with pytest.raises(OccbenchError, match=r"is no name for a file|is not a row as it was written"):
            export(copy, tmp_path / "out" / conditions[0], form, conditions)
    assert {path for path in tmp_path.rglob("*") if "out" not in path.parts} == before
    assert not [path for path in (tmp_path / "out").rglob("*") if path.suffix == ".png"]


def test_a_tar_shard_is_read_and_never_unpacked(toys, tmp_path):
    made = toys(layout="materialised", format="webdataset", rows_per_shard=4)
    copy = shutil.copytree(made, tmp_path / "copy")
    shard = copy / "occluded" / "shard-00000.tar"
    with tarfile.open(shard) as archive:
        members = [(member, archive.extractfile(member).read()) for member in archive]
    with tarfile.open(shard, "w") as archive:
        for number, (member, content) in enumerate(members):
            member.name = ("../../outside", "/tmp/occbench-outside")[number % 2] + Path(member.name).suffix
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    fit(copy)
    before = sorted(tmp_path.rglob("*"))
    assert verify(copy).problems
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/occbench-outside.png").exists()


@pytest.mark.parametrize(
    "text", ["---\nlicense: mit\n---", "{{ m }}", "{% raw %}", "a: b\n- c", "]]><script>", "`x` | ![i](j)"]
)
def test_what_people_write_is_text_in_a_card(toys, text):
    import yaml

    from occbench.data.readme import CardFacts

    manifest = read_manifest(toys())
    source = manifest.source.model_copy(update={"terms": text})
    recipe = manifest.recipe.model_copy(update={"description": text, "reference": text})
    facts = CardFacts("lab/toys", "gated", "other", [text], [("a", "b", text, None)])
    card = render_card(manifest.model_copy(update={"recipe": recipe, "source": source}), facts)
    _, front, body = card.split("---\n", 2)
    assert yaml.safe_load(front)["license"] == "other"
    assert "<script" not in body
    assert "![i](j)" not in body
    assert body.count("\n| terms of the clean images | ") == 1
    assert not [line for line in body.splitlines() if line == "---"]
