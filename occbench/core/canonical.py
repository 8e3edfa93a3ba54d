"""Canonical JSON and fingerprints: the same value always gives the same bytes, so its hash can name it."""

import hashlib
import json
import math
from collections.abc import Mapping

__all__ = ["canonical_json", "fingerprint"]


def canonical_json(value: object) -> str:
    """Return the one JSON text of ``value``: keys sorted, no spaces, UTF-8, floats by their shortest repr.

    A float that is a whole number is written as an integer, so ``1`` and ``1.0`` in a YAML file mean the same recipe.

    Raises:
        TypeError: a value that JSON cannot hold, or a key that is not text.
        ValueError: NaN or infinity.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def fingerprint(value: object, length: int = 16) -> str:
    """Return the first ``length`` hexadecimal digits of the SHA-256 of ``value``'s canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"canonical JSON needs text keys, found {sorted(map(repr, value))}")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return value
