"""``croissant.json``: what a dataset holds, in the words of MLCommons Croissant 1.0, for search engines and loaders.

The document is plain JSON-LD with the context that the specification prescribes, and is checked by ``mlcroissant`` in
the tests; writing it needs no package.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from occbench.data.layout import CLEAN_FOLDER, KEYS_FILE, OCCLUDED_FOLDER, OVERLAYS_FOLDER, PATTERNS_FILE
from occbench.data.manifest import Manifest
from occbench.data.readme import Mode
from occbench.data.schema import OVERLAYS, PATTERNS, clean_schema, keys_schema, occluded_schema

__all__ = ["croissant_json"]

_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_LICENCES: Final = "https://choosealicense.com/licenses/"
_PARQUET: Final = "application/x-parquet"
#: What the specification's example for git repositories writes where a file has a hash.
_NO_HASH: Final = "https://github.com/mlcommons/croissant/issues/80"

_MEANINGS: Final = {
    "image": "The image.",
    "key": "Names the clean image.",
    "label": "Class index.",
    "labels": "Class indices, as in the table classes.",
    "ignored": "Class indices that are neither claimed nor denied of the image, as in the table classes.",
    "condition": "Name of the occlusion condition.",
    "group": "What a table averages.",
    "achieved": "Share of the image that the overlay hides.",
    "row": "Identifier: number of the image in the source times conditions, plus number of the condition.",
    "index": "Number of the image in the source.",
    "sha256": "Hash of the pixels.",
    "overlay": "RGBA picture that the condition puts on an image.",
    "family": "Occlusion family.",
    "parameters": "What was asked, as JSON.",
    "per_image": "Whether the overlay depends on the image.",
    "height": "Image height in pixels for which the overlay holds.",
    "width": "Image width in pixels for which the overlay holds.",
    "x0": "Left edge of the overlay in the image, pixels.",
    "y0": "Top edge of the overlay in the image, pixels.",
    "mask_rle": "Where the overlay is not transparent, run-length coded.",
    "made_by": "What made the overlay, as JSON.",
}


def croissant_json(
    manifest: Manifest, *, url: str, mode: Mode, licence: str, citation: str, with_ignored: bool = True
) -> bytes:
    """Return the document.

    Args:
        manifest: the dataset.
        url: page of the repository.
        mode: what is in the repository.
        licence: identifier of its licence.
        citation: what to cite.
        with_ignored: whether its tables have the column ``ignored``, where it is a multi-label dataset.
    """
    tables = _tables(manifest, mode, with_ignored)
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": manifest.recipe.name,
        "description": _description(manifest, mode),
        "license": f"{_LICENCES}{licence}/" if licence != "other" else manifest.source.terms,
        "url": url,
        "version": "1.0.0",
        "citeAs": citation,
        "keywords": ["occlusion", "robustness", "image classification"],
        "isLiveDataset": False,
        "distribution": [_repository(url), *(_file_set(name, pattern) for name, (pattern, _) in tables.items())],
        "recordSet": [_classes(manifest), *(_record_set(name, schema) for name, (_, schema) in tables.items())],
    }
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _description(manifest: Manifest, mode: Mode) -> str:
    what = f"{manifest.images} clean images of {manifest.source.name} under {manifest.conditions} occlusion conditions"
    held = (
        " (recipe, overlays and hashes; the images are rebuilt from the reader's own copy)" if mode == "recipe" else ""
    )
    return f"{manifest.recipe.description} {what}{held}. Terms of the clean images: {manifest.source.terms}.".strip()


def _tables(manifest: Manifest, mode: Mode, with_ignored: bool) -> dict[str, tuple[str, pa.Schema]]:
    """Return table -> (pattern of its files, schema)."""
    classes, multi_label, measures = manifest.classes, manifest.multi_label, manifest.recipe.measures()
    tables = {"patterns": (PATTERNS_FILE, PATTERNS)}
    if mode == "recipe":
        tables["keys"] = (KEYS_FILE, keys_schema(classes, multi_label, with_ignored=with_ignored))
    else:
        tables["clean"] = (f"{CLEAN_FOLDER}/*.parquet", clean_schema(classes, multi_label, with_ignored=with_ignored))
        if manifest.storage.stores_rows:
            schema = occluded_schema(classes, multi_label, measures, with_ignored=with_ignored)
            tables["occluded"] = (f"{OCCLUDED_FOLDER}/*.parquet", schema)
    if manifest.made_by:
        tables["overlays"] = (f"{OVERLAYS_FOLDER}/*.parquet", OVERLAYS)
    return tables


def _repository(url: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": "repo",
        "name": "repo",
        "description": "The git repository on the Hugging Face Hub.",
        "contentUrl": url,
        "encodingFormat": "git+https",
        "sha256": _NO_HASH,
    }


def _file_set(name: str, pattern: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{name}-files",
        "name": f"{name}-files",
        "description": f"Parquet files of the table {name}.",
        "containedIn": {"@id": "repo"},
        "encodingFormat": _PARQUET,
        "includes": pattern,
    }


def _classes(manifest: Manifest) -> dict[str, Any]:
    fields = [("index", "sc:Integer", "Class index."), ("name", "sc:Text", "Name of the class.")]
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "description": "The classes in label order.",
        "dataType": "sc:Enumeration",
        "key": {"@id": "classes/index"},
        "field": [
            {"@type": "cr:Field", "@id": f"classes/{name}", "name": name, "description": meaning, "dataType": kind}
            for name, kind, meaning in fields
        ],
        "data": [{"classes/index": number, "classes/name": name} for number, name in enumerate(manifest.classes)],
    }


def _record_set(name: str, schema: pa.Schema) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"The table {name}.",
        "field": list(_fields(name, schema)),
    }


def _fields(table: str, schema: pa.Schema) -> Iterator[dict[str, Any]]:
    for column in schema:
        if column.name == "masks":
            continue  # a list of structures, which Croissant 1.0 cannot take out of a Parquet column
        picture = column.name in ("image", "overlay")
        source: dict[str, Any] = {"fileSet": {"@id": f"{table}-files"}, "extract": {"column": column.name}}
        if picture:
            source["transform"] = {"jsonPath": "bytes"}
        field = {
            "@type": "cr:Field",
            "@id": f"{table}/{column.name}",
            "name": column.name,
            "description": _MEANINGS.get(column.name, column.name),
            "dataType": "sc:ImageObject" if picture else _kind(column.type),
            "source": source,
        }
        if column.name == "label":
            field["references"] = {"field": {"@id": "classes/index"}}
        if pa.types.is_list(column.type):
            field["repeated"] = True  # and no reference: readers would join a list with the table of classes
        yield field


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return _kind(kind.value_type)
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"
