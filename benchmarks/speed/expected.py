"""What each row of the table was wanted to be, and predicted to be before it was measured."""

from dataclasses import dataclass
from typing import Final

__all__ = ["EXPECTED", "Expected"]


@dataclass(frozen=True)
class Expected:
    """What was expected of a row.

    Attributes:
        at_least: the target, where more is better.
        at_most: the target, where less is better.
        predicted: what was thought before the first measurement; empty for nothing.
    """

    at_least: float | None = None
    at_most: float | None = None
    predicted: str = ""

    def judged(self, value: float) -> str:
        """Return the target and whether it is met."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}, {'met' if value >= self.at_least else '**missed**'}"
        if self.at_most is not None:
            return f"≤ {self.at_most:g}, {'met' if value <= self.at_most else '**missed**'}"
        return "-"


EXPECTED: Final[dict[str, dict[str, Expected]]] = {
    name: {}
    for name in (
        "rendering",
        "encoding",
        "generating",
        "reading",
        "training",
        "scoring",
        "diffusion",
        "publishing",
        "workers",
    )
}
