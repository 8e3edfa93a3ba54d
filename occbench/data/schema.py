"""Column names and types of every table in a dataset, with the metadata that Hugging Face ``datasets`` reads."""

import json
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

from occbench.core.types import Example

__all__ = ["OVERLAYS", "PATTERNS", "clean_schema", "keys_schema", "label_values", "occluded_schema"]

_IMAGE: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_MASKS: Final = pa.list_(pa.struct([("name", pa.string()), ("rle", pa.string())]))


def clean_schema(classes: Sequence[str], multi_label: bool, *, with_ignored: bool = True) -> pa.Schema:
    """Return the schema of ``clean/*.parquet``: one row per clean image.

    ``with_ignored`` is False for a multi-label dataset that is older than that column; so in all of these functions.
    """
    columns = [
        ("image", _IMAGE),
        ("key", pa.string()),
        *_label_columns(multi_label, with_ignored),
        ("index", pa.int64()),
        ("sha256", pa.string()),
        ("masks", _MASKS),
    ]
    return _with_features(pa.schema(columns), classes)


def keys_schema(classes: Sequence[str], multi_label: bool, *, with_ignored: bool = True) -> pa.Schema:
    """Return the schema of ``keys.parquet``: what is known of every clean image but its pixels."""
    labels = _label_columns(multi_label, with_ignored)
    columns = [("index", pa.int64()), ("key", pa.string()), *labels, ("sha256", pa.string())]
    return _with_features(pa.schema(columns), classes)


def occluded_schema(
    classes: Sequence[str], multi_label: bool, measures: Sequence[str] = (), *, with_ignored: bool = True
) -> pa.Schema:
    """Return the schema of ``occluded/*.parquet``: one row per clean image and condition.

    ``measures`` are columns of the recipe's own (``Recipe.measures``), null where a row's family does not measure them.
    """
    columns = [
        ("image", _IMAGE),
        ("key", pa.string()),
        *_label_columns(multi_label, with_ignored),
        ("condition", pa.string()),
        ("group", pa.string()),
        ("achieved", pa.float64()),
        *((name, pa.float64()) for name in measures),
        ("row", pa.int64()),
    ]
    return _with_features(pa.schema(columns), classes)


def label_values(example: Example, multi_label: bool) -> dict[str, Any]:
    """Return the label columns of an example's rows."""
    if not multi_label:
        return {"label": example.labels[0]}
    return {"labels": list(example.labels), "ignored": list(example.ignored)}


def _label_columns(multi_label: bool, with_ignored: bool) -> list[tuple[str, pa.DataType]]:
    if not multi_label:
        return [("label", pa.int64())]
    return [(name, pa.list_(pa.int64())) for name in (("labels", "ignored") if with_ignored else ("labels",))]


def _with_features(schema: pa.Schema, classes: Sequence[str]) -> pa.Schema:
    """Attach the features as ``datasets`` stores them, so that images and class names are shown as such."""
    class_label = {"names": list(classes), "_type": "ClassLabel"}
    special: dict[str, Any] = {
        "image": {"_type": "Image"},
        "overlay": {"_type": "Image"},
        "label": class_label,
        "labels": {"feature": class_label, "_type": "List"},
        "ignored": {"feature": class_label, "_type": "List"},
        "masks": {
            "feature": {"name": {"dtype": "string", "_type": "Value"}, "rle": {"dtype": "string", "_type": "Value"}},
            "_type": "List",
        },
    }
    features = {
        field.name: special.get(field.name) or {"dtype": str(field.type).replace("double", "float64"), "_type": "Value"}
        for field in schema
    }
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


#: One row per condition. ``overlay`` (RGBA PNG), its box and ``achieved`` are null where the overlay depends on the
#: image; ``height`` and ``width`` say for which image size they hold.
PATTERNS: Final = _with_features(
    pa.schema(
        [
            ("condition", pa.string()),
            ("family", pa.string()),
            ("group", pa.string()),
            ("parameters", pa.string()),
            ("per_image", pa.bool_()),
            ("height", pa.int32()),
            ("width", pa.int32()),
            ("x0", pa.int32()),
            ("y0", pa.int32()),
            ("achieved", pa.float64()),
            ("overlay", _IMAGE),
            ("mask_rle", pa.string()),
            ("sha256", pa.string()),
        ]
    ),
    (),
)

#: One row per clean image and condition whose overlays are stored.
OVERLAYS: Final = _with_features(
    pa.schema(
        [
            ("overlay", _IMAGE),
            ("key", pa.string()),
            ("condition", pa.string()),
            ("x0", pa.int32()),
            ("y0", pa.int32()),
            ("achieved", pa.float64()),
            ("sha256", pa.string()),
            ("made_by", pa.string()),
            ("row", pa.int64()),
        ]
    ),
    (),
)
