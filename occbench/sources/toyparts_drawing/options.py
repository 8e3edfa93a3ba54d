"""Options that both toyparts sources have."""

from typing import Final

from occbench.core.errors import ConfigError

__all__ = ["check_options"]

_SPLITS: Final = ("train", "validation", "test")


def check_options(source: str, split: str, size_px: int) -> None:
    """Refuse a split or size that is not drawn.

    Args:
        source: its name, for errors.
        split: ``train``, ``validation`` or ``test``.
        size_px: side of the square image, 32 to 512.

    Raises:
        ConfigError: one of them is another.
    """
    if split not in _SPLITS:
        raise ConfigError(f"{source} has no split {split!r}. Choose one of {', '.join(_SPLITS)}.")
    if not 32 <= size_px <= 512:
        raise ConfigError(
            f"{source} draws images of 32 to 512 px, found size_px {size_px}. "
            "Choose a size in that range and let the resize rule do the rest."
        )
