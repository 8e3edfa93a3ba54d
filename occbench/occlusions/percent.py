"""Shares in condition names: 0.5 is ``50``, 0.125 is ``12p5``."""

from decimal import Decimal

__all__ = ["percent"]


def percent(share: float) -> str:
    """Return a share in per cent, as names of conditions have it: no digit lost, ``p`` for the decimal point."""
    return f"{(Decimal(str(share)) * 100).normalize():f}".replace(".", "p")
