"""Parts of error messages: what another library said, in one line, and what a misspelt name may have meant."""

import difflib
from collections.abc import Iterable
from typing import Final

__all__ = ["causes", "did_you_mean", "first_line", "one_line"]

_LONGEST: Final = 200


def one_line(said: object) -> str:
    """Return a text, or an error's, on one line, cut after 200 characters and without its full stop.

    Of an error that says nothing its class is named.
    """
    return _or_class(" ".join(str(said).split())[:_LONGEST].rstrip("."), said)


def first_line(said: object) -> str:
    """Return the first line of a text, or an error's, without its full stop; see ``one_line``."""
    return _or_class(str(said).strip().partition("\n")[0].rstrip("."), said)


def causes(error: BaseException) -> list[BaseException]:
    """Return an error and what it was raised from or after, the first cause last."""
    found = [error]
    while (cause := found[-1].__cause__ or found[-1].__context__) is not None and cause not in found:
        found.append(cause)
    return found


def did_you_mean(name: str, known: Iterable[str], otherwise: str, most: int = 1) -> str:
    """Return the question whether known names close to a misspelt one were meant, or another hint without any.

    Args:
        name: what was given.
        known: what there is.
        otherwise: the hint where nothing is close.
        most: names that are offered.
    """
    close = difflib.get_close_matches(name, list(known), n=most)
    return f"Did you mean {', '.join(close)}?" if close else otherwise


def _or_class(text: str, said: object) -> str:
    return text if text or not isinstance(said, BaseException) else type(said).__name__
