"""The pages' templates: every value is escaped, and a name that a template does not get is an error."""

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

__all__ = ["TEMPLATES", "page_template"]

TEMPLATES: Final = Path(__file__).with_name("templates")


def page_template(name: str) -> Template:
    """Return the template of that name."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(name)
