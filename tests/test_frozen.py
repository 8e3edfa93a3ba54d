"""What other people's commands, files and code rely on is what tests/frozen.yaml says; CONTRIBUTING.md says the rest.

A name that is new or gone is written down with ``python tests/test_frozen.py``, so that it is deliberate.
"""

import inspect
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args

import typer
import yaml
from pydantic import BaseModel

FILE = Path(__file__).with_name("frozen.yaml")


def frozen():
    """Return what is frozen, by what it is frozen for."""
    import occbench
    from occbench.bench.measures.records import Record
    from occbench.bench.protocol.benchmark import Benchmark
    from occbench.cli import app
    from occbench.core.plugins import BUILT_IN
    from occbench.data.manifest import FORMAT_VERSION, Manifest
    from occbench.data.recipe import Recipe

    return {
        "verbs": dict(sorted(verbs(typer.main.get_command(app), ()))),
        "python": {name: members(getattr(occbench, name)) for name in occbench.__all__},
        "recipe": keys(Recipe),
        "benchmark": keys(Benchmark),
        "plugins": {kind: {name: options(kind, name) for name in sorted(BUILT_IN[kind])} for kind in sorted(BUILT_IN)},
        "dataset": {"format_version": FORMAT_VERSION, "manifest": keys(Manifest, stop="recipe"), "tables": tables()},
        "run": {"files": run_files(), "record": [field.name for field in fields(Record)]},
    }


def verbs(command, path):
    """Yield (verb, its arguments and options as they are written)."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from verbs(inner, (*path, name))
        return
    arguments = [item.metavar or item.name for item in command.params if item.param_type_name == "argument"]
    named = [name for item in command.params if item.param_type_name == "option" for name in item.opts]
    yield " ".join(path), [*arguments, *sorted(named)]


def members(thing):
    """Return a class's public attributes with the parameters of its methods, or a function's parameters."""
    if not inspect.isclass(thing):
        return list(inspect.signature(thing).parameters)
    if issubclass(thing, BaseModel):
        return []  # its keys are frozen
    own = {
        name: item
        for base in thing.__mro__
        if base.__module__.startswith("occbench.")
        for name, item in vars(base).items()
    }
    noted = {name for base in thing.__mro__ if base.__module__.startswith("occbench.") for name in base.__annotations__}
    methods = {name: list(inspect.signature(item).parameters) for name, item in own.items() if inspect.isfunction(item)}
    return {
        name: methods.get(name) for name in sorted({*own, *noted}) if not name.startswith("_") or name == "__init__"
    }


def keys(model, prefix="", stop=""):
    """Return the keys of a configuration, those of what is nested behind a dot."""
    found = []
    for name, field in model.model_fields.items():
        found.append(f"{prefix}{name}")
        for kind in classes_in(field.annotation) if name != stop else ():
            if issubclass(kind, BaseModel):
                found += keys(kind, f"{prefix}{name}.")
            elif is_dataclass(kind):
                found += [f"{prefix}{name}.{item.name}" for item in fields(kind)]
    return found


def classes_in(annotation):
    """Yield the classes that an annotation is made of, as ``Arm`` of ``dict[str, Arm]``."""
    if inspect.isclass(annotation) and not get_args(annotation):
        yield annotation
    for inner in get_args(annotation):
        yield from classes_in(inner)


def options(kind, name):
    from occbench.core.plugins import find_plugin

    return sorted(field.name for field in fields(find_plugin(kind, name, object)) if field.init)


def tables():
    from occbench.data import schema

    two = {f"clean{more}": schema.clean_schema(["a"], many).names for many, more in ((False, ""), (True, ", labels"))}
    two |= {
        f"occluded{more}": schema.occluded_schema(["a"], many).names for many, more in ((False, ""), (True, ", labels"))
    }
    return two | {
        "patterns": schema.PATTERNS.names,
        "overlays": schema.OVERLAYS.names,
        "keys": schema.keys_schema(["a"], False).names,
    }


def run_files():
    from occbench.core.run_folder import RunFolder

    home = RunFolder(Path("RUNS/FINGERPRINT"))
    return [str(path) for path in (home.manifest, home.records, home.split, home.checkpoint, home.all_scores)]


def differences(old, new, place=""):
    """Yield a line for each thing that is there only once."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys((*old, *new)):
            inner = f"{place} {name}".strip()
            if name not in old or name not in new:
                yield f"{'gone' if name in old else 'new'}: {inner}"
            else:
                yield from differences(old[name], new[name], inner)
    elif isinstance(old, list) and isinstance(new, list):
        yield from (f"gone: {place} {item}" for item in old if item not in new)
        yield from (f"new: {place} {item}" for item in new if item not in old)
        if old != new and sorted(map(str, old)) == sorted(map(str, new)):
            yield f"another order: {place}"
    elif old != new:
        yield f"changed: {place}"


def test_what_is_frozen_is_what_is_written_down():
    found = list(differences(yaml.safe_load(FILE.read_text(encoding="utf-8")), frozen()))
    assert not found, (
        f"{'; '.join(found)}. CONTRIBUTING.md says what may change when; then `python tests/test_frozen.py` notes it."
    )


def test_every_kind_of_difference_is_found():
    old = {"a": ["x", "y"], "b": {"c": None}, "d": 1, "e": [1, 2]}
    new = {"a": ["x", "z"], "b": {}, "d": 2, "e": [2, 1], "f": []}
    assert list(differences(old, new)) == [
        "gone: a y", "new: a z", "gone: b c", "changed: d", "another order: e", "new: f",
    ]  # fmt: skip
    assert not list(differences(old, old))


if __name__ == "__main__":
    FILE.write_text(yaml.safe_dump(frozen(), sort_keys=False, default_flow_style=None, width=120), encoding="utf-8")
