"""Parts of the object hidden: blacked out, or replaced by another image [Mallick et al. 2025, section 3].

Both hide the same pixels, the largest union of half of the object's parts (``part_selection``), and put something else
there: one colour, which leaves only the shape, or what another image of the data set shows at the same place, so that
the texture lies. Images without part masks cannot be occluded; they are set aside and counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occbench.core.errors import BrokenImageError, ConfigError, OcclusionError
from occbench.core.interfaces import Occlusion
from occbench.core.resize import resize
from occbench.core.seeding import stream
from occbench.core.types import Condition, Example, Overlay
from occbench.occlusions.holes import hole_overlay, picture_overlay
from occbench.occlusions.part_selection import part_region

__all__ = ["PartBlackout", "PartReplace"]

#: Donors tried before giving up: an image meets itself, or one that cannot be decoded, this often only in tiny sources.
_DONOR_TRIES = 100


@dataclass(frozen=True)
class PartBlackout(Occlusion):
    """Paints the object's largest parts in one colour.

    Nothing is drawn: the same image is always occluded in the same way, whatever the seed.

    Attributes:
        shares: shares of the parts to hide, each in (0, 1], one condition per share; of ``n`` parts ``ceil(share * n)``
            are hidden. The paper hides half.
        fill: RGB, 0..255, before any normalisation.
        dilate_px: radius by which the hidden region grows, pixels after the resize rule.
    """

    per_image: ClassVar[bool] = True

    shares: tuple[float, ...] = (0.5,)
    fill: tuple[int, int, int] = (0, 0, 0)
    dilate_px: int = 0

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: an option is out of its range.
        """
        object.__setattr__(self, "shares", _checked_shares("part_blackout", self.shares, self.dilate_px))
        object.__setattr__(self, "fill", tuple(self.fill))
        if len(self.fill) != 3 or not all(0 <= value <= 255 for value in self.fill):
            raise ConfigError(
                f"part_blackout: fill is three values of 0 to 255, found {list(self.fill)}: black is [0, 0, 0]."
            )

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """One condition per share, e.g. ``part-blackout-50``."""
        return _conditions("part_blackout", self.shares, self.dilate_px)

    def overlay(self, example: Example, condition: Condition, seed: int) -> Overlay:  # noqa: ARG002 - nothing is drawn
        """Paint the hidden parts.

        Raises:
            BrokenImageError: the image has no part.
        """
        return hole_overlay(_region(example, condition), self.fill)

    def hidden(self, example: Example, condition: Condition, seed: int) -> NDArray[np.bool_]:  # noqa: ARG002
        """Return bool[H, W], the pixels of the hidden parts.

        Raises:
            BrokenImageError: the image has no part.
        """
        return _region(example, condition)


@dataclass(frozen=True)
class PartReplace(Occlusion):
    """Replaces the object's largest parts by what another image of the data set shows there.

    The donor is drawn for each image, the same for every share, and resized to the image's size where it has another.
    A reader of the dataset cannot be asked for it, so the overlays are stored.

    Attributes:
        shares: as ``PartBlackout``.
        dilate_px: as ``PartBlackout``.
    """

    per_image: ClassVar[bool] = True
    recomputable: ClassVar[bool] = False
    needs_donors: ClassVar[bool] = True

    #: Images to take pixels from: none until ``with_donors`` hides this by an attribute of the instance, no option.
    _donors: ClassVar[Sequence[Example]] = ()

    shares: tuple[float, ...] = (0.5,)
    dilate_px: int = 0

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: an option is out of its range.
        """
        object.__setattr__(self, "shares", _checked_shares("part_replace", self.shares, self.dilate_px))

    @property
    def batch_size(self) -> int:
        """Images whose overlays are stored together; it makes no difference to them."""
        return 32

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """One condition per share, e.g. ``part-replace-50``."""
        return _conditions("part_replace", self.shares, self.dilate_px)

    def with_donors(self, donors: Sequence[Example]) -> "PartReplace":
        """Return this family with the images that it may take pixels from."""
        family = replace(self)
        object.__setattr__(family, "_donors", donors)
        return family

    def overlay(self, example: Example, condition: Condition, seed: int) -> Overlay:
        """Put the donor's pixels on the hidden parts.

        Raises:
            BrokenImageError: the image has no part.
            OcclusionError: there is no other image to take pixels from.
        """
        return picture_overlay(_region(example, condition), self._donor(example, seed))

    def hidden(self, example: Example, condition: Condition, seed: int) -> NDArray[np.bool_]:  # noqa: ARG002
        """Return bool[H, W], the pixels of the hidden parts.

        Raises:
            BrokenImageError: the image has no part.
        """
        return _region(example, condition)

    def _donor(self, example: Example, seed: int) -> NDArray[np.uint8]:
        """Return uint8[H, W, 3] of the first drawn image that is another one and can be decoded."""
        if not len(self._donors):
            raise OcclusionError("part_replace has no images to take pixels from: give them by with_donors.")
        height, width = example.image.shape[:2]
        draws = stream(seed, "part_replace", example.key, "donor")
        for index in draws.integers(len(self._donors), _DONOR_TRIES).tolist():
            try:
                donor = self._donors[index]
            except BrokenImageError:  # the shard that meets this image itself sets it aside
                continue
            if donor.key == example.key:
                continue
            pixels: NDArray[np.uint8] = donor.image
            if pixels.shape != example.image.shape:
                resized = resize(Image.fromarray(pixels), (width, height), Image.Resampling.BILINEAR)
                pixels = np.asarray(resized, dtype=np.uint8)
            return pixels
        raise OcclusionError(
            f"image {example.key}: of {_DONOR_TRIES} images drawn from {len(self._donors)} none is another one that "
            "can be decoded. Use a source with more images."
        )


def _region(example: Example, condition: Condition) -> NDArray[np.bool_]:
    return part_region(example.parts, condition.parameters["share"], condition.parameters["dilate_px"])


def _conditions(family: str, shares: tuple[float, ...], dilate_px: int) -> tuple[Condition, ...]:
    names = [f"{family.replace('_', '-')}-{_percent(share)}" for share in shares]
    return tuple(
        Condition(name=name, family=family, group=name, parameters={"share": share, "dilate_px": dilate_px})
        for name, share in zip(names, shares, strict=True)
    )


def _checked_shares(family: str, shares: Sequence[float], dilate_px: int) -> tuple[float, ...]:
    if not shares or not all(0 < share <= 1 for share in shares):
        raise ConfigError(f"{family}: shares of the parts are in (0, 1], found {list(shares)}: write half as 0.5.")
    if len({_percent(share) for share in shares}) < len(shares):
        raise ConfigError(f"{family}: shares must differ, found {list(shares)}: name each once.")
    if not 0 <= dilate_px <= 255:
        raise ConfigError(f"{family}: dilate_px is 0 to 255 pixels, found {dilate_px}: 0 hides the parts alone.")
    return tuple(shares)


def _percent(share: float) -> str:
    return f"{(Decimal(str(share)) * 100).normalize():f}".replace(".", "p")
