"""The language of claims: a small grammar, a recursive-descent parser, and values that are numbers or arrays of draws.

Language (all values in percentage points, 0 to 100)::

    claim    = sum relation sum { relation sum }        a chain holds when every link of it does
    relation = ">" | ">=" | "<" | "<="
    sum      = product { ("+" | "-") product }
    product  = factor { "*" factor }
    factor   = NUMBER | "-" factor | "(" sum ")"
             | ("min" | "max" | "mean" | "abs") "(" sum { "," sum } ")"
             | GROUP "(" ARM ")"                        accuracy of an arm over a condition group, or ``avg``, ``clean``

Groups and arms are words of letters, digits, ``.``, ``_``, ``-``, ``/``, ``+`` and ``@`` that start with a letter or a
digit (``20c``, ``patchdrop-60``, ``C-Full``); so a minus or plus between two words needs a space before it. Nothing is
ever evaluated as Python.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from occbench.core.errors import ConfigError

__all__ = ["Statement", "Term", "Values", "parse"]

#: Float64 of any one shape: () for point estimates, (n_draws,) for draws.
Values = NDArray[np.float64]
#: (arm, group)
Term = tuple[str, str]
Expression = Callable[[Mapping[Term, Values]], Values]

_TOKEN: Final = re.compile(r"\s*(?:(?P<word>[A-Za-z0-9][\w./+@-]*)|(?P<sign>>=|<=|[-+*(),<>]))")
_NUMBER: Final = re.compile(r"\d+(\.\d+)?")
_RELATIONS: Final = (">", ">=", "<", "<=")
_FUNCTIONS: Final[Mapping[str, Callable[[Values], Values]]] = {
    "min": lambda values: values.min(axis=0),
    "max": lambda values: values.max(axis=0),
    "mean": lambda values: values.mean(axis=0),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """A parsed claim.

    Attributes:
        margin: by how much the claim holds, given every term's values; negative where it does not; of a chain, the
            weakest link's.
        terms: the (arm, group) pairs it speaks of, in order of appearance.
        strict: whether equality breaks it: one of its relations is ``>`` or ``<``.
    """

    margin: Expression
    terms: tuple[Term, ...]
    strict: bool


def parse(text: str) -> Statement:
    """Parse a claim.

    Raises:
        ConfigError: the text is no claim; the message names the position and what was expected there.
    """
    return _Parser(text).claim()


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int
    is_word: bool


class _Parser:
    """Recursive descent over the tokens of one claim; one method per rule of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.terms: list[Term] = []
        self._tokens = list(_tokenize(text))
        self._next = 0

    def claim(self) -> Statement:
        links: list[Expression] = []
        relations: list[str] = []
        left = self._sum()
        while not links or self._peek().text in _RELATIONS:
            relations.append(self._take(*_RELATIONS))
            right = self._sum()
            links.append(_difference(left, right) if relations[-1].startswith(">") else _difference(right, left))
            left = right
        if self._peek().text:
            self._fail("an operator, a relation or the end")
        if not self.terms:
            raise ConfigError(f"claim {self.text!r} names no arm: write a group of an arm, such as avg(C).")
        strict = any(len(relation) == 1 for relation in relations)
        return Statement(_applied("min", links), tuple(dict.fromkeys(self.terms)), strict)

    def _sum(self) -> Expression:
        left = self._product()
        while self._peek().text in ("+", "-"):
            combine = _total if self._take("+", "-") == "+" else _difference
            left = combine(left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._factor()
        while self._peek().text == "*":
            self._take("*")
            left = _scaled(left, self._factor())
        return left

    def _factor(self) -> Expression:
        token = self._peek()
        if token.text == "-":
            self._take("-")
            return _difference(lambda _: np.zeros(()), self._factor())
        if token.text == "(":
            self._take("(")
            inner = self._sum()
            self._take(")")
            return inner
        if not token.is_word:
            self._fail("a number, a group such as avg(C) or '('")
        self._next += 1
        if self._peek().text != "(" and _NUMBER.fullmatch(token.text):
            number = np.float64(token.text)
            return lambda _: np.asarray(number)
        self._take("(")
        return self._call(token.text)

    def _call(self, name: str) -> Expression:
        if name == "abs" or name in _FUNCTIONS:
            arguments = [self._sum()]
            while name != "abs" and self._peek().text == ",":
                self._take(",")
                arguments.append(self._sum())
            self._take(")")
            return _applied(name, arguments)
        arm = self._peek()
        if not arm.is_word:
            self._fail("the name of an arm")
        self._next += 1
        self._take(")")
        self.terms.append((arm.text, name))
        return lambda values: np.asarray(values[arm.text, name])

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *expected: str) -> str:
        found = self._peek().text
        if found not in expected:
            self._fail(" or ".join(repr(sign) for sign in expected))
        self._next += 1
        return found

    def _fail(self, expected: str) -> NoReturn:
        token = self._peek()
        _refuse(self.text, token.start, expected, repr(token.text) if token.text else "the end")


def _tokenize(text: str) -> Iterator[_Token]:
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            stray = end - len(text[position:end].lstrip())
            _refuse(text, stray, "a name, a number or one of + - * ( ) , < <= > >=", repr(text[stray]))
        word = match["word"]
        yield _Token(word or match["sign"], match.start("word" if word else "sign"), word is not None)
        position = match.end()
    yield _Token("", end, is_word=False)


def _refuse(text: str, start: int, expected: str, found: str) -> NoReturn:
    raise ConfigError(f"claim {text!r}, character {start + 1}: expected {expected}, found {found}. Correct the claim.")


def _difference(left: Expression, right: Expression) -> Expression:
    return lambda values: left(values) - right(values)


def _total(left: Expression, right: Expression) -> Expression:
    return lambda values: left(values) + right(values)


def _scaled(left: Expression, right: Expression) -> Expression:
    return lambda values: left(values) * right(values)


def _applied(name: str, arguments: list[Expression]) -> Expression:
    if name == "abs":
        return lambda values: np.abs(arguments[0](values))
    reduce = _FUNCTIONS[name]
    return lambda values: reduce(np.stack(np.broadcast_arrays(*(argument(values) for argument in arguments))))
