"""Docstrings as Markdown: the text, its sections, and the options of a frozen dataclass as a table."""

import dataclasses
import inspect
import re
from collections.abc import Iterator

__all__ = ["SECTIONS", "body", "meanings", "option_table", "section", "to_markdown"]

#: Headings of a Google docstring; the text before the first is the description.
SECTIONS = ("Args", "Attributes", "Example", "Examples", "Raises", "Returns", "Yields")
_HEADING = re.compile(rf"^({'|'.join(SECTIONS)}):\s*$", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(?P<name>[\w.]+): (?P<text>.*(?:\n {5,}.*)*)", re.MULTILINE)


def body(text: str) -> str:
    """Return a docstring up to its first section."""
    return _HEADING.split(text)[0].strip()


def section(text: str, name: str) -> dict[str, str]:
    """Return the entries ``name: text`` of one section, each in one line; empty where there is no such section."""
    parts = _HEADING.split(text)
    for heading, content in zip(parts[1::2], parts[2::2], strict=True):
        if heading == name:
            return {entry["name"]: " ".join(entry["text"].split()) for entry in _ENTRY.finditer(content)}
    return {}


def to_markdown(text: str) -> str:
    """Return a docstring as Markdown: what looks like HTML outside of code is text.

    Paragraphs, and equations that are indented by four places, mean the same in both.
    """
    lines = []
    for line in text.splitlines():
        if line.startswith("    "):
            lines.append(line)
            continue
        parts = re.split(r"(``.*?``|`.*?`)", line)
        lines.append("".join(part if part.startswith("`") else _as_text(part) for part in parts))
    return "\n".join(lines)


def option_table(player: type) -> str:
    """Return the options of a player (name, type, default, meaning) as a Markdown table."""
    if not (dataclasses.is_dataclass(player) and dataclasses.fields(player)):
        return "It has no options."
    said = meanings(player)
    rows = [
        f"| `{field.name}` | {_code(_type_name(field))} | {_default(field)} | {_cell(said.get(field.name, ''))} |"
        for field in _options(player)
    ]
    return "\n".join(["| option | type | default | meaning |", "| --- | --- | --- | --- |", *rows])


def meanings(player: type) -> dict[str, str]:
    """Return option -> meaning; what a player shares with others is explained where it is shared."""
    found: dict[str, str] = {}
    for owner in reversed(player.__mro__):
        found |= section(inspect.cleandoc(owner.__doc__ or ""), "Attributes")
    return found


def _options(player: type) -> Iterator["dataclasses.Field[object]"]:
    return (field for field in dataclasses.fields(player) if field.init and not field.name.startswith("_"))


def _type_name(field: "dataclasses.Field[object]") -> str:
    return field.type if isinstance(field.type, str) else inspect.formatannotation(field.type)


def _default(field: "dataclasses.Field[object]") -> str:
    if field.default is not dataclasses.MISSING:
        return _code(repr(field.default))
    return "required" if field.default_factory is dataclasses.MISSING else _code(repr(field.default_factory()))


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _cell(text: str) -> str:
    return to_markdown(text).replace("|", "\\|")


def _as_text(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")
