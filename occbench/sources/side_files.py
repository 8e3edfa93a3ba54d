"""Reading what lies beside images: lists and tables as text or for MATLAB, annotations as bytes; one error for all."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

from occbench.core.errors import SourceError

__all__ = ["read_bytes", "read_matlab", "read_text"]

Result = TypeVar("Result")


def read_bytes(file: Path, what: str, hint: str) -> bytes:
    """Return a file's bytes.

    Args:
        file: the file.
        what: what it is, for errors, e.g. ``annotation file``.
        hint: what to do where it cannot be read, a sentence.

    Raises:
        SourceError: it is missing or cannot be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise SourceError(f"there is no {what} {file}. {hint}") from error
    except OSError as error:
        raise SourceError(f"the {what} {file} cannot be read: {error.strerror}. {hint}") from error
    except ValueError as error:
        raise SourceError(f"no {what} can have the name {file.name[:60]!r} ({error}). {hint}") from error


def read_text(file: Path, what: str, hint: str) -> str:
    """Return a file's text, UTF-8 with or without a byte order mark; arguments and errors as ``read_bytes``.

    Raises:
        SourceError: also where it is no such text.
    """
    try:
        return read_bytes(file, what, hint).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"the {what} {file} is not text in UTF-8. {hint}") from error


def read_matlab(file: Path, variable: str, convert: Callable[[Any], Result], hint: str) -> Result:
    """Return what becomes of a variable of a MATLAB file.

    Args:
        file: the file.
        variable: its name in there.
        convert: is given it as a numpy array without axes of length 1; may raise LookupError, TypeError or ValueError.
        hint: as ``read_bytes``.

    Raises:
        SourceError: the file is missing, cannot be read, is none of MATLAB's or has no such variable.
    """
    from scipy.io import loadmat  # here, because few formats need it
    from scipy.io.matlab import MatReadError

    data = BytesIO(read_bytes(file, "file", hint))
    try:
        return convert(loadmat(data, squeeze_me=True)[variable])
    except (MatReadError, OSError, LookupError, TypeError, ValueError) as error:
        raise SourceError(f"{file} is no MATLAB file with usable {variable} ({error}). {hint}") from error
