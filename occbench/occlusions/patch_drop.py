"""Patch drop: random square patches are blacked out [Naseer et al. 2021; Mallick et al. 2025, section 4.1].

The share of dropped patches is the information loss. Three readings of the papers are offered as ``variant``:

``grid``    The image is cut into ``patch_px`` cells from its top left corner and a share of the cells is dropped. On a
            224 px image with 16 px patches this is the 14 x 14 grid of Naseer et al. Where a side is no multiple of
            ``patch_px`` the last row or column of cells is smaller and counts like any other.
``free``    Squares lie at any position, also reaching over the border, and are added until their union covers the
            asked share, overshooting it by less than one patch.
``native``  Mallick et al. write that patches "close to the image borders may end up having smaller occlusions", which
            no grid on 224 px can have (224 = 14 * 16) but one on the image at its own size has. After the resize rule
            that size is gone, so the cut cells are brought back by shifting the grid by 0 to ``patch_px - 1`` px along
            each axis, drawn per image. It differs from a grid laid before the resize in that patches keep their size
            and both borders may be cut. For the literal reading keep the images as they are (resize rule ``none``)
            and use ``grid``.

Which patches go is drawn once per image, not per batch, and levels are nested: what the 20 % level hides the 40 % level
hides too. Both are our choice where the papers say nothing.
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import count as count_from
from itertools import pairwise
from math import floor
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from occbench.core.errors import BrokenImageError, ConfigError
from occbench.core.interfaces import Occlusion
from occbench.core.options import check_different, settle_options
from occbench.core.seeding import stream
from occbench.core.types import Condition, Example, Overlay
from occbench.occlusions.holes import hole_overlay
from occbench.occlusions.percent import percent

__all__ = ["PatchDrop", "patch_order"]

_FREE_BLOCK = 256  # squares drawn at a time; the result does not depend on it


def patch_order(seed: int, key: str, cells: int, draw: int) -> NDArray[np.uint32]:
    """Return when each cell of an image is dropped: uint32[cells], a permutation of ``range(cells)``.

    ``patch_order(...) < n`` is the mask of the first ``n`` dropped cells, in row-major order, so one array holds every
    level. It fits uint16 up to 65,536 cells.

    Args:
        seed: the recipe's seed.
        key: the image's key.
        cells: how many cells the image has.
        draw: which independent draw, from 1.
    """
    ranks = np.empty(cells, dtype=np.uint32)
    ranks[stream(seed, "patch_drop", key, draw, "order").permutation(cells)] = np.arange(cells, dtype=np.uint32)
    return ranks


@dataclass(frozen=True)
class PatchDrop(Occlusion):
    """Blacks out random square patches.

    Attributes:
        losses: shares of information lost, each in (0, 1), one condition per loss.
        patch_px: side of a patch.
        count: how a share becomes a number of cells: ``round`` (half to even) or ``floor``, as Naseer et al. do. Not
            used by ``free``, which goes by covered area.
        variant: ``grid``, ``free`` or ``native``, see the module's text.
        repeat: independent draws of every level, each a condition of the same group; tables average them.
    """

    per_image: ClassVar[bool] = True

    losses: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8)
    patch_px: int = 16
    count: Literal["round", "floor"] = "round"
    variant: Literal["grid", "free", "native"] = "grid"
    repeat: int = 1

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: an option is out of its range.
        """
        settle_options(self)
        if not self.losses or not all(0 < loss < 1 for loss in self.losses):
            raise ConfigError(f"patch_drop: losses are shares in (0, 1), found {list(self.losses)}: write 20 % as 0.2.")
        check_different(self, "losses", self.losses)
        if self.patch_px < 1:
            raise ConfigError(f"patch_drop: patch_px is at least 1, found {self.patch_px}: the papers use 16.")
        if self.repeat < 1:
            raise ConfigError(
                f"patch_drop: repeat is a number of draws of at least 1, found {self.repeat}: use 1 or 3."
            )

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """One condition per loss and draw, e.g. ``patchdrop-60``, or ``patchdrop-60-2`` where draws are repeated."""
        return tuple(self._condition(loss, draw) for loss in self.losses for draw in range(1, self.repeat + 1))

    def overlay(self, example: Example, condition: Condition, seed: int) -> Overlay:
        """Black out the condition's share of the image's patches.

        Raises:
            BrokenImageError: the image is so small that the share is less than one patch.
        """
        draw = condition.parameters["draw"]
        loss = Fraction(str(condition.parameters["loss"]))  # 0.29 of 100 cells is 29, which binary floats miss
        make = self._free_hole if self.variant == "free" else self._grid_hole
        return hole_overlay(make(example, loss, seed, draw))

    def _condition(self, loss: float, draw: int) -> Condition:
        group = f"patchdrop-{percent(loss)}" if self.variant == "grid" else f"patchdrop-{self.variant}-{percent(loss)}"
        return Condition(
            name=f"{group}-{draw}" if self.repeat > 1 else group,
            family="patch_drop",
            group=group,
            parameters={
                "loss": loss,
                "patch_px": self.patch_px,
                "variant": self.variant,
                "count": self.count,
                "draw": draw,
            },
        )

    def _grid_hole(self, example: Example, loss: Fraction, seed: int, draw: int) -> NDArray[np.bool_]:
        shift_y, shift_x = 0, 0
        if self.variant == "native":
            phases = stream(seed, "patch_drop", example.key, draw, "phase").integers(self.patch_px, 2)
            shift_y, shift_x = (int(phase) for phase in phases)
        heights = _cell_sizes(example.image.shape[0], self.patch_px, shift_y)
        widths = _cell_sizes(example.image.shape[1], self.patch_px, shift_x)
        cells = len(heights) * len(widths)
        dropped = round(loss * cells) if self.count == "round" else floor(loss * cells)
        if dropped == 0:
            raise BrokenImageError(
                f"dropping {float(loss):.4g} of its {cells} patches of {self.patch_px} px is no patch at all"
            )
        grid = (patch_order(seed, example.key, cells, draw) < dropped).reshape(len(heights), len(widths))
        return np.repeat(np.repeat(grid, heights, axis=0), widths, axis=1)

    def _free_hole(self, example: Example, loss: Fraction, seed: int, draw: int) -> NDArray[np.bool_]:
        height, width = example.image.shape[:2]
        side = self.patch_px
        rows = stream(seed, "patch_drop", example.key, draw, "free-rows")
        columns = stream(seed, "patch_drop", example.key, draw, "free-columns")
        hole = np.zeros((height, width), dtype=np.bool_)
        missing = -floor(-loss * height * width)
        for index in count_from():
            if index % _FREE_BLOCK == 0:
                # from wholly outside but for one pixel to the same on the other side: every pixel is as likely
                tops = (rows.integers(height + side - 1, _FREE_BLOCK) - (side - 1)).tolist()
                lefts = (columns.integers(width + side - 1, _FREE_BLOCK) - (side - 1)).tolist()
            top, left = tops[index % _FREE_BLOCK], lefts[index % _FREE_BLOCK]
            square = hole[max(top, 0) : top + side, max(left, 0) : left + side]
            missing -= square.size - int(np.count_nonzero(square))
            square[...] = True
            if missing <= 0:
                break
        return hole


def _cell_sizes(length: int, side: int, shift: int) -> list[int]:
    """Return the sizes of the cells that cut ``length`` px at ``shift``, ``shift + side``, ``shift + 2 * side``, ..."""
    edges = [0, *range(shift or side, length, side), length]
    return [end - start for start, end in pairwise(edges)]
