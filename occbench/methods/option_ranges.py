"""Ranges of methods' options, checked when a method is built."""

from math import inf

from occbench.core.errors import ConfigError

__all__ = ["check_probability", "check_range"]


def check_probability(method: str, option: str, value: float) -> None:
    """Check that an option is a probability.

    Raises:
        ConfigError: outside [0, 1], or no number.
    """
    check_range(method, option, value, 0.0, 1.0)


def check_range(method: str, option: str, value: float, low: float, high: float = inf, *, above: bool = False) -> None:
    """Check that an option lies in a range, both ends included.

    Args:
        method: its name, for the error.
        option: likewise.
        value: what was given.
        low: lower end.
        high: upper end.
        above: whether the lower end itself is not allowed.

    Raises:
        ConfigError: outside of it, or no number.
    """
    if (low < value if above else low <= value) and value <= high:
        return
    if high == inf:
        wanted = f"above {low:g}" if above else f"of {low:g} or more"
    else:
        wanted = f"above {low:g} and up to {high:g}" if above else f"from {low:g} to {high:g}"
    raise ConfigError(f"{method} needs {option} {wanted}, found {value}. Give it a value in that range.")
