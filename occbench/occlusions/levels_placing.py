"""Where occluders lie when a wanted share of an object is to be hidden: drawn at random, kept if they hit the band.

Draws are sized and aimed by what is wanted, and a placement is first measured on a lattice of pixels, which is cheap;
only those that pass are drawn and measured exactly.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from occbench.core.boxes import box_of_mask
from occbench.core.seeding import Stream

__all__ = ["Band", "Goal", "Placed", "Placer", "Scene", "Shape"]

#: Lattice points on an image, about; an object with fewer of them than the second number is measured on every pixel.
_LATTICE_POINTS: Final = 4096
_LEAST_POINTS: Final = 128
#: Numbers that say what a placement is to reach, and numbers that say which occluder lies where, each.
_AIMS: Final = 8
_DRAWS: Final = 4


class Band(NamedTuple):
    """A range of shares, [low, high); exact, so that 0.6 is 3/5 and not the binary number beside it."""

    name: str
    low: Fraction
    high: Fraction

    def holds(self, hidden: int, total: int) -> bool:
        """Whether ``hidden`` of ``total`` lies in the band."""
        return self.low * total <= hidden < self.high * total

    def at(self, position: float) -> float:
        """Return the share at ``position`` in [0, 1) of the band."""
        return float(self.low) + position * float(self.high - self.low)

    def __str__(self) -> str:
        return f"{self.name} [{float(self.low):g}, {float(self.high):g})"


class Goal(NamedTuple):
    """What is to be hidden: a share of the object and, where one is asked, of everything else."""

    object: Band
    background: Band | None

    def holds(self, hidden: tuple[int, int], total: tuple[int, int]) -> bool:
        """Whether hidden (object, background) of total (object, background) is what is wanted."""
        return self.object.holds(hidden[0], total[0]) and (
            self.background is None or self.background.holds(hidden[1], total[1])
        )

    def __str__(self) -> str:
        return str(self.object) if self.background is None else f"{self.object} x {self.background}"


class Shape:
    """An occluder's outline at its own size.

    Attributes:
        solid: bool[h, w], where alpha is at least half.
        area: of ``solid``, pixels.
    """

    def __init__(self, alpha: NDArray[np.uint8]) -> None:
        """Measure it; ``alpha`` is uint8[h, w]."""
        self.solid = alpha >= 128
        self.area = max(1, int(np.count_nonzero(self.solid)))


class Placed(NamedTuple):
    """An occluder in an image: its number, and the box it is scaled to, pixels; the box may reach over the border."""

    number: int
    x0: int
    y0: int
    width: int
    height: int


class Scene:
    """An object's mask, and what of it a placement hides, to about a lattice point.

    Attributes:
        mask: bool[H, W], the object; at least one pixel.
        area: of the object, pixels.
        box: the object's (x0, y0, x1, y1), half-open, pixels.
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        """Lay the lattice."""
        height, width = mask.shape
        self.mask = mask
        self._pixels = np.flatnonzero(mask)
        self.area = len(self._pixels)
        self.box = box_of_mask(mask)
        step = max(1, floor(sqrt(height * width / _LATTICE_POINTS)))
        if self.area < _LEAST_POINTS * step * step:
            step = 1
        self._ys = np.arange(step // 2, height, step)
        self._xs = np.arange(step // 2, width, step)
        self._object = mask[step // 2 :: step, step // 2 :: step]
        points = int(np.count_nonzero(self._object))
        self.points = points, self._object.size - points

    def pixel(self, position: float) -> tuple[float, float]:
        """Return the centre (x, y) of the object's pixel at ``position`` in [0, 1) of all, row by row."""
        row, column = divmod(int(self._pixels[floor(position * self.area)]), self.mask.shape[1])
        return column + 0.5, row + 0.5

    def hidden_points(self, placement: Sequence[Placed], shapes: Sequence[Shape]) -> tuple[int, int]:
        """Return how many lattice points of (object, background) a placement hides, of ``points``."""
        hidden = np.zeros(self._object.shape, dtype=np.bool_)
        for placed in placement:
            solid = shapes[placed.number].solid
            rows, top = _inside(self._ys, placed.y0, placed.height, solid.shape[0])
            columns, left = _inside(self._xs, placed.x0, placed.width, solid.shape[1])
            hidden[top : top + len(rows), left : left + len(columns)] |= solid[rows][:, columns]
        of_object = int(np.count_nonzero(hidden & self._object))
        return of_object, int(np.count_nonzero(hidden)) - of_object


@dataclass(frozen=True, slots=True)
class Placer:
    """How placements are drawn.

    Attributes:
        most: occluders aimed at the object, at most; as many again at the background where a share of it is asked.
        clip: whether an occluder's box may reach over the image border; its centre never does.
        tries: how many placements are drawn.
    """

    most: int
    clip: bool
    tries: int

    def placements(
        self, random: Stream, scene: Scene, shapes: Sequence[Shape], goal: Goal
    ) -> Iterator[tuple[Placed, ...]]:
        """Draw placements and yield those that hide what is wanted, to about a lattice point."""
        numbers = _AIMS + 2 * self.most * (_DRAWS + 1)
        for _ in range(self.tries):
            placement = self._draw(random.uniforms(numbers).tolist(), scene, shapes, goal)
            if placement and goal.holds(scene.hidden_points(placement, shapes), scene.points):
                yield placement

    def _draw(self, u: list[float], scene: Scene, shapes: Sequence[Shape], goal: Goal) -> tuple[Placed, ...]:
        """Turn uniform numbers into a placement; empty where an occluder must not be clipped and is too large."""
        height, width = scene.mask.shape
        left, top, right, bottom = scene.box
        # an object that fills little of its box is hidden only by hiding much of the box
        extent = scene.area + u[0] * ((right - left) * (bottom - top) - scene.area)
        # aimed at its box, or at its pixels, which alone leaves the background of a thin object in sight
        onto = scene.box if u[7] < 0.5 else None
        aimed = [(onto, 1 + floor(u[1] * self.most), goal.object.at(u[2]) * extent * (1 + u[3]))]
        if goal.background is not None:
            elsewhere = goal.background.at(u[5]) * (height * width - scene.area) * (0.5 + u[6])
            aimed.append(((0, 0, width, height), floor(u[4] * (self.most + 1)), elsewhere))
        numbers = iter(u[_AIMS:])
        placement = []
        for region, count, area in aimed:
            weights = [0.5 + next(numbers) for _ in range(count)]
            for weight in weights:
                draws = [next(numbers) for _ in range(_DRAWS - 1)]
                centre = scene.pixel(draws[1]) if region is None else _point(region, draws[1], draws[2])
                number = floor(draws[0] * len(shapes))
                placed = _scaled(number, shapes[number], area * weight / sum(weights), centre)
                if not self.clip:
                    if placed.width > width or placed.height > height:
                        return ()
                    placed = _moved_inside(placed, width, height)
                placement.append(placed)
        return tuple(placement)


def _point(region: tuple[int, int, int, int], across: float, down: float) -> tuple[float, float]:
    """Return the (x, y) of a region that lies so far across and down it."""
    return region[0] + across * (region[2] - region[0]), region[1] + down * (region[3] - region[1])


def _scaled(number: int, shape: Shape, area: float, centre: tuple[float, float]) -> Placed:
    """Scale an occluder to an area in pixels, its box's centre at (x, y)."""
    rows, columns = shape.solid.shape
    scale = sqrt(area / shape.area)
    width, height = max(1, floor(scale * columns + 0.5)), max(1, floor(scale * rows + 0.5))
    return Placed(number, floor(centre[0] - width / 2 + 0.5), floor(centre[1] - height / 2 + 0.5), width, height)


def _inside(points: NDArray[np.intp], start: int, length: int, cells: int) -> tuple[NDArray[np.intp], int]:
    """Return which of ``cells`` on ``length`` px from ``start`` are under the points there, and the first point."""
    first, last = np.searchsorted(points, (start, start + length)).tolist()
    return (2 * (points[first:last] - start) + 1) * cells // (2 * length), first


def _moved_inside(placed: Placed, width: int, height: int) -> Placed:
    return placed._replace(
        x0=min(max(placed.x0, 0), width - placed.width), y0=min(max(placed.y0, 0), height - placed.height)
    )
