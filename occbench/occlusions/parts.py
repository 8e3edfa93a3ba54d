"""Parts of the object hidden: blacked out, or replaced by another image [Mallick et al. 2025, section 3].

Both hide the same pixels, the largest union of half of the object's parts (``part_selection``), and put something else
there: one colour, which leaves only the shape, or what another image of the data set shows at the same place, so that
the texture lies. Images without part masks cannot be occluded; they are set aside and counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occbench.core.errors import BrokenImageError, ConfigError, OcclusionError
from occbench.core.interfaces import Occlusion
from occbench.core.options import check_different, settle_options
from occbench.core.resize import resize
from occbench.core.seeding import stream
from occbench.core.types import Condition, Example, Overlay
from occbench.occlusions.holes import check_fill, hole_overlay, picture_overlay
from occbench.occlusions.part_selection import part_region
from occbench.occlusions.percent import percent

__all__ = ["PartBlackout", "PartFamily", "PartReplace"]

#: Donors tried before giving up: an image meets itself, or one that cannot be decoded, this often only in tiny sources.
_DONOR_TRIES = 100


@dataclass(frozen=True)
class PartFamily(Occlusion):
    """What both families share: which parts they hide; abstract.

    Attributes:
        shares: shares of the parts to hide, each in (0, 1], one condition per share; of ``n`` parts ``ceil(share * n)``
            are hidden. The paper hides half.
        dilate_px: radius by which the hidden region grows, pixels after the resize rule.
    """

    per_image: ClassVar[bool] = True
    #: The family's name.
    name: ClassVar[str]

    shares: tuple[float, ...] = (0.5,)
    dilate_px: int = 0

    def _check_parts(self) -> None:
        """Check the options that both families have; a family calls it first in ``__post_init__``."""
        settle_options(self)
        if not self.shares or not all(0 < share <= 1 for share in self.shares):
            raise ConfigError(
                f"{self.name}: shares of the parts are in (0, 1], found {list(self.shares)}: write half as 0.5."
            )
        check_different(self, "shares", [percent(share) for share in self.shares])
        if not 0 <= self.dilate_px <= 255:
            raise ConfigError(
                f"{self.name}: dilate_px is 0 to 255 pixels, found {self.dilate_px}: 0 hides the parts alone."
            )

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """One condition per share, e.g. ``part-blackout-50``."""
        names = [f"{self.name.replace('_', '-')}-{percent(share)}" for share in self.shares]
        return tuple(
            Condition(name, self.name, name, parameters={"share": share, "dilate_px": self.dilate_px})
            for name, share in zip(names, self.shares, strict=True)
        )

    def hidden(self, example: Example, condition: Condition, seed: int) -> NDArray[np.bool_]:  # noqa: ARG002
        """Return bool[H, W], the pixels of the hidden parts.

        Raises:
            BrokenImageError: the image has no part.
        """
        return part_region(example.parts, condition.parameters["share"], condition.parameters["dilate_px"])


@dataclass(frozen=True)
class PartBlackout(PartFamily):
    """Paints the object's largest parts in one colour.

    Nothing is drawn: the same image is always occluded in the same way, whatever the seed. Options beside its own:
    ``PartFamily``'s.

    Attributes:
        fill: RGB, 0..255, before any normalisation.
    """

    name: ClassVar[str] = "part_blackout"

    fill: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: an option is out of its range.
        """
        self._check_parts()
        check_fill(self.name, self.fill)

    def overlay(self, example: Example, condition: Condition, seed: int) -> Overlay:
        """Paint the hidden parts.

        Raises:
            BrokenImageError: the image has no part.
        """
        return hole_overlay(self.hidden(example, condition, seed), self.fill)


@dataclass(frozen=True)
class PartReplace(PartFamily):
    """Replaces the object's largest parts by what another image of the data set shows there.

    The donor is drawn for each image, the same for every share, and resized to the image's size where it has another.
    A reader of the dataset cannot be asked for it, so the overlays are stored. Options: ``PartFamily``'s.
    """

    name: ClassVar[str] = "part_replace"
    recomputable: ClassVar[bool] = False
    needs_donors: ClassVar[bool] = True

    #: Images to take pixels from: none until ``with_donors`` hides this by an attribute of the instance, no option.
    _donors: ClassVar[Sequence[Example]] = ()

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: an option is out of its range.
        """
        self._check_parts()

    @property
    def batch_size(self) -> int:
        """Images whose overlays are stored together; it makes no difference to them."""
        return 32

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
        return picture_overlay(self.hidden(example, condition, seed), self._donor(example, seed))

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
