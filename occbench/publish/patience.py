"""Trying again what the Hub refuses only for now; its client repeats some requests itself, and these are the others."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from occbench.core.hub import is_network_error

__all__ = ["patiently"]

Result = TypeVar("Result")

#: Waits before a request is tried again that the client itself tries only once, seconds.
_WAITS_S: Final = (1, 2, 4, 8)
_LONGEST_WAIT_S: Final = 300
_MENDING: Final = frozenset({408, 429, 500, 502, 503, 504})


def patiently(call: Callable[[], Result], network: bool = False) -> Result:
    """Call, and again where it may go better later; the client itself repeats only some requests.

    Args:
        call: what to do.
        network: also when the connection was lost.
    """
    for wait_s in _WAITS_S:
        try:
            return call()
        except Exception as error:
            answer = getattr(error, "response", None)
            lost = network and is_network_error(error)
            if not lost and getattr(answer, "status_code", 0) not in _MENDING:
                raise
            asked = "" if answer is None else str(answer.headers.get("Retry-After", ""))
            time.sleep(min(int(asked), _LONGEST_WAIT_S) if asked.isdigit() else wait_s)
    return call()
