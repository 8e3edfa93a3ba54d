"""Irregular holes: free-form masks of a small or a large share of the image [Zunair & Ben Hamza, WACV 2024].

The paper draws from the Irregular Masks Dataset [Liu et al., ECCV 2018], which cannot be shipped: give a folder of
mask files, or use the strokes drawn here, accepted when their hole share lies in the asked bin. The default bins,
(0.01, 0.1] and (0.5, 0.6], are the first and the last of that dataset's six; that the paper's "low" and "high" mean
these is our reading of its code, which takes the first and the last files in name order.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import floor
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError, OcclusionError
from occbench.core.files import hash_file
from occbench.core.interfaces import Occlusion
from occbench.core.options import check_different, settle_options
from occbench.core.seeding import stream
from occbench.core.types import KEY_PATTERN, Condition, Example, Overlay
from occbench.occlusions.holes import check_fill, hole_overlay
from occbench.occlusions.image_files import image_files
from occbench.occlusions.mask_files import fit_mask, read_mask
from occbench.occlusions.strokes import draw_strokes

__all__ = ["Irregular"]


@dataclass(frozen=True)
class Irregular(Occlusion):
    """Cuts one free-form hole mask, drawn per image, out of the image.

    Attributes:
        bins: (name, low, high): hole shares in (low, high] of the image; one condition per bin.
        mask_folder: a folder of mask files to draw from; empty for procedural strokes.
        hole: what a hole is in the files of ``mask_folder``: ``bright`` (value > 0) or ``dark`` (value 0).
        fill: RGB of the holes, 0..255, before any normalisation.
    """

    per_image: ClassVar[bool] = True

    bins: tuple[tuple[str, float, float], ...] = (("low", 0.01, 0.1), ("high", 0.5, 0.6))
    mask_folder: str = ""
    hole: Literal["bright", "dark"] = "bright"
    fill: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        """Check the options; mask files are read when the conditions are first asked for.

        Raises:
            ConfigError: an option is out of its range.
        """
        settle_options(self)
        self._check_bins()
        check_fill("irregular", self.fill)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """One condition per bin, e.g. ``irregular-low``.

        Raises:
            ConfigError: a file of the mask folder cannot be read, or a bin is left without masks.
        """
        masks = "folder" if self._files_by_bin else "strokes"
        return tuple(
            Condition(
                name=f"irregular-{name}",
                family="irregular",
                group=f"irregular-{name}",
                parameters={"bin": name, "low": low, "high": high, "masks": masks},
            )
            for name, low, high in self.bins
        )

    def overlay(self, example: Example, condition: Condition, seed: int) -> Overlay:
        """Draw one mask of the condition's bin for this image.

        Raises:
            OcclusionError: no mask's hole share lies in the bin at this image's size.
        """
        height, width = example.image.shape[:2]
        least, most = _pixel_range(condition, height * width)
        if least > most:
            raise OcclusionError(
                f"image {example.key}: no number of pixels of its {width} x {height} lies in {_named(condition)}. "
                "Widen the bin or use larger images."
            )
        draw = self._hole_from_folder if self.mask_folder else _hole_from_strokes
        return hole_overlay(draw(example, condition, seed), self.fill)

    def summary(self) -> dict[str, Any]:
        """Return how many masks each bin has and one hash over all of them, for masks from a folder."""
        if not self._files_by_bin:
            return {}
        files = {path.name: hash_file(path) for paths in self._files_by_bin.values() for path in paths}
        return {
            "masks": {name: len(paths) for name, paths in self._files_by_bin.items()},
            "masks_hash": fingerprint(files),
        }

    def _check_bins(self) -> None:
        if not self.bins or any(len(one) != 3 for one in self.bins):
            raise ConfigError("irregular: bins needs one or more [name, low, high], e.g. [low, 0.01, 0.1].")
        for name, low, high in self.bins:
            if not KEY_PATTERN.fullmatch(name):
                raise ConfigError(f"irregular: a bin's name is made of a-z, 0-9, _ and -, found {name!r}: rename it.")
            if not 0 <= low < high < 1:
                raise ConfigError(
                    f"irregular: bin {name} needs 0 <= low < high < 1, found ({low}, {high}]: 10 % is 0.1."
                )
        check_different(self, "names of bins", [name for name, _, _ in self.bins])

    @cached_property
    def _files_by_bin(self) -> dict[str, tuple[Path, ...]]:
        """Bin name -> mask files whose hole share, at the file's own size, lies in the bin; empty without a folder."""
        if not self.mask_folder:
            return {}
        folder = Path(self.mask_folder)
        shares = {path: float(read_mask(path, self.hole).mean()) for path in image_files(folder, "mask_folder")}
        binned = {
            name: tuple(path for path, share in shares.items() if low < share <= high) for name, low, high in self.bins
        }
        for name, low, high in self.bins:
            if not binned[name]:
                raise ConfigError(
                    f"irregular: bin {name} ({low}, {high}] has no mask: the {len(shares)} masks of {folder} hide "
                    f"{min(shares.values()):.1%} to {max(shares.values()):.1%}. Change bins or, if these are the "
                    f"shares that stay visible, set hole: {'dark' if self.hole == 'bright' else 'bright'}."
                )
        return binned

    def _hole_from_folder(self, example: Example, condition: Condition, seed: int) -> NDArray[np.bool_]:
        height, width = example.image.shape[:2]
        least, most = _pixel_range(condition, height * width)
        files = self._files_by_bin[condition.parameters["bin"]]
        order = stream(seed, "irregular", example.key, condition.parameters["bin"], "file").permutation(len(files))
        for index in order.tolist():
            hole = fit_mask(read_mask(files[index], self.hole), height, width)
            # resizing and cropping change the share; a mask that leaves its bin gives way to the next in the order
            if least <= np.count_nonzero(hole) <= most:
                return hole
        raise OcclusionError(
            f"image {example.key}: none of the {len(files)} masks of {_named(condition)} stays in it when fitted to "
            f"{width} x {height} px. Add masks or widen the bin."
        )


def _hole_from_strokes(example: Example, condition: Condition, seed: int) -> NDArray[np.bool_]:
    height, width = example.image.shape[:2]
    least, most = _pixel_range(condition, height * width)
    random = stream(seed, "irregular", example.key, condition.parameters["bin"], "strokes")
    hole = draw_strokes(random, (height, width), least, most)
    if hole is None:
        raise OcclusionError(
            f"image {example.key}: no strokes found for {_named(condition)} at {width} x {height} px. Widen the bin."
        )
    return hole


def _pixel_range(condition: Condition, area: int) -> tuple[int, int]:
    """Return the smallest and largest number of pixels whose share of ``area`` lies in the bin (low, high]."""
    low, high = (Fraction(str(condition.parameters[side])) for side in ("low", "high"))
    return floor(low * area) + 1, floor(high * area)


def _named(condition: Condition) -> str:
    parameters = condition.parameters
    return f"bin {parameters['bin']} ({parameters['low']}, {parameters['high']}]"
