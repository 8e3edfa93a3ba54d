"""The tables are what FORMAT.md says, column by column, and carry the features that Hugging Face reads."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest

import occbench.data.schema
from occbench.data.manifest import FORMAT_VERSION, Manifest
from occbench.data.schema import OVERLAYS, PATTERNS, clean_schema, occluded_schema

FORMAT = Path(occbench.data.schema.__file__).with_name("FORMAT.md").read_text(encoding="utf-8")


def documented(heading):
    """Return the names in the first column of the table below a heading."""
    section = FORMAT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", section, flags=re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("patterns.parquet", PATTERNS.names),
        ("overlays/shard-NNNNN.parquet", OVERLAYS.names),
        ("manifest.json", list(Manifest.model_fields)),
    ],
)
def test_the_specification_names_every_column_in_order(heading, names):
    assert documented(heading) == names


@pytest.mark.parametrize(("folder", "schema"), [("clean", clean_schema), ("occluded", occluded_schema)])
def test_the_specification_names_every_image_column_in_order(folder, schema):
    columns = documented(f"{folder}/shard-NNNNN.parquet")
    assert [name for name in columns if name not in ("labels", "ignored")] == schema(["a"], multi_label=False).names
    assert [name for name in columns if name != "label"] == schema(["a"], multi_label=True).names


def test_the_specification_is_of_this_version():
    assert FORMAT.startswith(f"# The dataset directory, format version {FORMAT_VERSION}\n")


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("schema", [clean_schema, occluded_schema])
def test_features_agree_with_the_columns(schema, multi_label):
    import datasets

    found = schema(["b", "ä"], multi_label)
    described = json.loads(found.metadata[b"huggingface"])["info"]["features"]
    assert list(described) == found.names
    features = datasets.Features.from_arrow_schema(found)
    assert features.arrow_schema.remove_metadata().types == found.types
    labels = [features["labels"].feature, features["ignored"].feature] if multi_label else [features["label"]]
    assert all(label.names == ["b", "ä"] for label in labels)
    assert pa.types.is_struct(found.field("image").type)
