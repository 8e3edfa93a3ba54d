"""The README.md of a dataset directory: a card that says what it is, how it was made and how to read it."""

from pathlib import Path
from typing import Final

from jinja2 import Environment, StrictUndefined

from occbench.core.files import write_bytes
from occbench.data.manifest import Manifest

__all__ = ["write_readme"]

_TEMPLATE: Final = Path(__file__).with_name("README.md.jinja")


def write_readme(path: Path, manifest: Manifest) -> None:
    """Write the card of ``manifest`` to ``path``, whole or not at all."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    write_bytes(
        path, environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(m=_markdown_safe(manifest)).encode()
    )


def _markdown_safe(manifest: Manifest) -> Manifest:
    """Escape what users wrote, so that it cannot break the table or add HTML."""
    recipe = manifest.recipe
    escaped = {name: _escape(getattr(recipe, name)) for name in ("description", "reference")}
    source = manifest.source.model_copy(update={"terms": _escape(manifest.source.terms)})
    return manifest.model_copy(update={"recipe": recipe.model_copy(update=escaped), "source": source})


def _escape(text: str) -> str:
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;")
