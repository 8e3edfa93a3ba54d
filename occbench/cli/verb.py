"""A function as a verb: options that verbs share are spread out, and Ctrl-C ends it with one line."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, get_type_hints

import typer

__all__ = ["as_verb"]


def as_verb(function: Callable[..., None], *, goes_on: bool = False) -> Callable[..., None]:
    """Return what Typer makes a command of.

    A parameter whose type is a dataclass stands for options that several verbs share: Typer sees the dataclass's fields
    in its place, annotated as any option is, and the function gets one value made of them.

    Args:
        function: the verb.
        goes_on: whether the same command takes up what Ctrl-C has stopped.
    """
    hints = get_type_hints(function, include_extras=True)
    groups = {name: hints[name] for name in inspect.signature(function).parameters if is_dataclass(hints[name])}

    def verb(**values: Any) -> None:  # noqa: ANN401 - what the command line gives
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        try:
            function(**values)
        except KeyboardInterrupt:
            more = " What is finished is kept: the same command goes on." if goes_on else ""
            typer.secho(f"Stopped.{more}", err=True, fg="yellow")
            raise typer.Exit(130) from None

    parameters = list(_parameters(function, hints))
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    verb.__name__ = function.__name__
    verb.__doc__ = "\n\n".join(" ".join(text.split()) for text in paragraphs)  # the terminal breaks the lines
    verb.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    verb.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return verb


def _parameters(function: Callable[..., None], hints: dict[str, Any]) -> Iterator[inspect.Parameter]:
    for name, parameter in inspect.signature(function).parameters.items():
        kind = hints[name]
        if not is_dataclass(kind):
            yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=kind)
            continue
        inner = get_type_hints(kind, include_extras=True)
        for field in fields(kind):
            yield inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=_default(field), annotation=inner[field.name]
            )


def _default(field: "Field[Any]") -> Any:  # noqa: ANN401
    return inspect.Parameter.empty if field.default is MISSING else field.default
