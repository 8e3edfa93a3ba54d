"""The README.md of a dataset directory: a card that says what it is, how it was made and how to read it.

Whatever stands in it comes from people or files, so everything is escaped where it is put in; the front matter is
written by a YAML library.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from jinja2 import Environment, StrictUndefined

from occbench.core.files import write_bytes
from occbench.data.layout import CLEAN_FOLDER, KEYS_FILE, OCCLUDED_FOLDER, OVERLAYS_FOLDER, PATTERNS_FILE
from occbench.data.manifest import Manifest

__all__ = [
    "CardFacts",
    "Markdown",
    "Mode",
    "front_matter",
    "markdown_text",
    "render_card",
    "render_markdown",
    "write_readme",
]

#: What of a dataset lies where the card lies: everything, everything behind a gate, or what rebuilds it.
Mode = Literal["pixels", "gated", "recipe"]

_TEMPLATE: Final = Path(__file__).with_name("README.md.jinja")
_SPECIAL: Final = re.compile(r"([\\`*\[\]#])")
_SIZES: Final = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))


@dataclass(frozen=True)
class CardFacts:
    """What a card says beside the manifest, because it is on the Hub.

    Attributes:
        repo_id: the repository.
        mode: what is in it.
        licence: identifier of the licence of what is in it, as the Hub writes it.
        citations: works to cite, a sentence each.
        conditions: (name, group, asked parameters as text, achieved ratio or None where images differ in it).
        picture: file name of the picture; empty for none.
    """

    repo_id: str
    mode: Mode
    licence: str
    citations: Sequence[str] = ()
    conditions: Sequence[tuple[str, str, str, float | None]] = ()
    picture: str = ""


def write_readme(path: Path, manifest: Manifest) -> None:
    """Write the card of ``manifest`` to ``path``, whole or not at all."""
    write_bytes(path, render_card(manifest).encode())


def render_card(manifest: Manifest, facts: CardFacts | None = None) -> str:
    """Return a card as Markdown with front matter.

    Args:
        manifest: what the dataset is.
        facts: for a dataset on the Hub; without them the card is of a local directory.
    """
    return render_markdown(
        _TEMPLATE,
        front=front_matter(_front_matter(manifest, facts)),
        m=manifest,
        facts=facts,
        mode=facts.mode if facts else "pixels",
        place=Markdown(facts.repo_id if facts else "path/to/this/folder"),
        parquet=manifest.storage.stores_rows,
        tars=manifest.storage.materialised and not manifest.storage.stores_rows,
        folders=_folders(manifest),
    )


def front_matter(content: Mapping[str, Any]) -> "Markdown":
    """Return a card's metadata as the YAML block that it starts with."""
    written = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=1000)
    return Markdown(f"---\n{written}---\n")


def render_markdown(template: Path, **values: object) -> str:
    """Fill a template; whatever it puts in is escaped, unless it is ``Markdown`` already (or passed to ``md``)."""
    environment = Environment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        finalize=_finalise,
    )
    environment.filters["md"] = Markdown
    return environment.from_string(template.read_text(encoding="utf-8")).render(values)


class Markdown(str):
    """Text that is Markdown already."""

    __slots__ = ()


def _finalise(value: object) -> str:
    """Escape what a template puts in, unless it is Markdown already."""
    return value if isinstance(value, Markdown) else markdown_text(str(value))


def markdown_text(text: str) -> str:
    """Return ``text`` so that Markdown and HTML show it as it is, on one line."""
    plain = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;")


def _front_matter(manifest: Manifest, facts: CardFacts | None) -> dict[str, Any]:
    front: dict[str, Any] = {"pretty_name": manifest.recipe.name}
    if facts is not None:
        front["license"] = facts.licence or "other"
        front["size_categories"] = [next((name for limit, name in _SIZES if manifest.rows < limit), "10M<n<100M")]
    front["task_categories"] = ["image-classification"]
    front["tags"] = ["occlusion", "robustness", "occbench"]
    front["configs"] = _configs(manifest, facts.mode if facts else "pixels")
    if facts is not None and facts.mode == "gated":
        terms = markdown_text(manifest.source.terms)
        front["extra_gated_heading"] = "Accept the terms of the clean images"
        front["extra_gated_prompt"] = (
            f"These images are made from those of {manifest.source.name}. Their terms: {terms}."
        )
        front["extra_gated_fields"] = {"I accept these terms": "checkbox", "Affiliation": "text", "Purpose": "text"}
    return front


def _configs(manifest: Manifest, mode: Mode) -> list[dict[str, Any]]:
    """Return the tables that ``load_dataset`` and the Hub's viewer open by name; the first is the default."""
    files = {"clean": f"{CLEAN_FOLDER}/*.parquet", "patterns": PATTERNS_FILE}
    if mode == "recipe":
        files = {"keys": KEYS_FILE, "patterns": PATTERNS_FILE}
    elif manifest.storage.stores_rows:
        files = {"occluded": f"{OCCLUDED_FOLDER}/*.parquet", **files}
    if manifest.made_by:
        files["overlays"] = f"{OVERLAYS_FOLDER}/*.parquet"
    configs: list[dict[str, Any]] = [{"config_name": name, "data_files": path} for name, path in files.items()]
    configs[0]["default"] = True
    return configs


def _folders(manifest: Manifest) -> Mapping[str, tuple[int, int, str]]:
    """Return folder -> (files, rows, size as text), for cards of complete datasets."""
    found = {}
    for folder in (CLEAN_FOLDER, OCCLUDED_FOLDER, OVERLAYS_FOLDER):
        if files := manifest.files_in(folder):
            size = sum(file.bytes for file in files)
            found[folder] = (len(files), sum(file.rows for file in files), f"{size / 10**6:,.1f} MB")
    return found
