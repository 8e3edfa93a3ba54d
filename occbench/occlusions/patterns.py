"""Occlusion patterns: one occluder at one ratio and one position, the same on every image.

Source: Cen et al., "Deep feature augmentation for occluded image classification", Pattern Recognition 2021
(arXiv 2011.00768), sections 1 and 4: "the occlusion pattern is defined as the occlusions with the same texture, shape,
size, and location on the image"; three occluders x two ratios x (centre and three random positions) = 24 patterns,
thirty occluders = 240. The paper leaves open what a ratio measures and how a position is drawn; see ``Patterns``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import floor
from typing import Any, Literal

from occbench.core.errors import ConfigError, OcclusionError
from occbench.core.interfaces import Occlusion
from occbench.core.options import check_different, settle_options
from occbench.core.seeding import stream
from occbench.core.types import Condition, Example, Overlay
from occbench.occlusions.banks.bank import Occluder, OccluderBank, load_bank
from occbench.occlusions.banks.scaling import Patch, scale_to_ratio

__all__ = ["Patterns"]

_LARGEST_RATIO = 0.5


@dataclass(frozen=True)
class Patterns(Occlusion):
    """Occluder patterns: occluders x ratios x positions, every one a fixed overlay shared by all images.

    The ratio is the alpha mask's area over the image's. Occluders are scaled isotropically. A position is a centre in
    shares of the image; one set of positions per occluder serves every ratio, and random ones are uniform over the
    centres at which the largest ratio's box lies wholly inside. Nothing is ever clipped: an occluder whose box is
    larger than the image is refused.

    Attributes:
        bank: ``occbench-3``, ``occbench-30``, rows of it such as ``occbench-30/look1``, or a folder of RGBA files.
        ratios: occlusion ratios, shares of the image in (0, 0.5].
        random_positions: how many random positions each occluder has.
        centre: whether there is a centre position, too.
        anchor: which point of the occluder is put at a position: ``box`` its box's centre, ``centroid`` the centre of
            mass of its alpha.
        positions_per_ratio: draw random positions anew for every ratio (the paper can be read so), each within the
            room that its own box leaves.
        occluders: names to use, in this order; empty for the whole bank.

    Raises:
        ConfigError: an option is out of its range; where conditions are asked for: there is no such bank or occluder.
    """

    bank: str = "occbench-3"
    ratios: tuple[float, ...] = (0.1, 0.2)
    random_positions: int = 3
    centre: bool = True
    anchor: Literal["box", "centroid"] = "box"
    positions_per_ratio: bool = False
    occluders: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        settle_options(self)
        _check_ratios(self, self.ratios)
        if self.random_positions < 0:
            raise ConfigError(f"patterns: random_positions cannot be negative, found {self.random_positions}: use 3.")
        if not self.centre and self.random_positions == 0:
            raise ConfigError("patterns has no position left: set centre: true, or random_positions to 1 or more.")
        check_different(self, "occluders", self.occluders)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """One condition per occluder, ratio and position, in this order, e.g. ``umbrella2_20_r1`` in group ``20r``."""
        return tuple(self._by_name.values())

    def overlay(self, example: Example, condition: Condition, seed: int) -> Overlay:
        """Return the pattern for images of the example's size; the same object for every such image.

        Raises:
            OcclusionError: the occluder does not fit into the image at the largest ratio, or the condition is not one
                of this player's.
        """
        height, width = example.image.shape[:2]
        return _at_size(self, height, width).overlay(condition.name, seed)

    def summary(self) -> dict[str, Any]:
        """Return the bank's name and fingerprint and the hash of every occluder in use."""
        bank = self._chosen_bank()
        return {
            "bank": bank.name,
            "bank_fingerprint": bank.fingerprint,
            "occluders": {occluder.name: occluder.sha256 for occluder in bank.occluders},
        }

    @cached_property
    def _by_name(self) -> dict[str, Condition]:
        return {condition.name: condition for condition in self._make_conditions()}

    def _make_conditions(self) -> Iterator[Condition]:
        positions = [f"r{number}" for number in range(1, self.random_positions + 1)]
        if self.centre:
            positions.insert(0, "c")
        for occluder in self._chosen_bank().occluders:
            for ratio in self.ratios:
                for position in positions:
                    yield Condition(
                        name=f"{occluder.name}_{_percent(ratio)}_{position}",
                        family="patterns",
                        group=f"{_percent(ratio)}{position[0]}",
                        parameters={
                            "occluder": occluder.name,
                            "occluder_sha256": occluder.sha256,
                            "ratio": ratio,
                            "position": position,
                        },
                    )

    def _chosen_bank(self) -> OccluderBank:
        # not kept on the player, which travels to worker processes; ``load_bank`` keeps it once per process
        bank = load_bank(self.bank)
        if not self.occluders:
            return bank
        return OccluderBank(bank.name, tuple(bank.by_name(name) for name in self.occluders))


class _PatternsAtSize:
    """Everything a ``Patterns`` makes for images of one size, made when first asked for."""

    def __init__(self, patterns: Patterns, height: int, width: int) -> None:
        self._patterns = patterns
        self._bank = patterns._chosen_bank()
        self._conditions = patterns._by_name
        self._height = height
        self._width = width
        self._patches: dict[tuple[str, float], Patch] = {}
        self._overlays: dict[tuple[str, int], Overlay] = {}

    def overlay(self, name: str, seed: int) -> Overlay:
        if name not in self._conditions:
            raise OcclusionError(f"patterns has no condition {name}: ask for one that its conditions list.")
        if (name, seed) not in self._overlays:
            asked = self._conditions[name].parameters
            self._overlays[name, seed] = self._made(asked["occluder"], asked["ratio"], asked["position"], seed)
        return self._overlays[name, seed]

    def _made(self, name: str, ratio: float, position: str, seed: int) -> Overlay:
        occluder = self._bank.by_name(name)
        anchor = occluder.centroid if self._patterns.anchor == "centroid" else (0.5, 0.5)
        self._require_fit(occluder, anchor)
        patch = self._patch(occluder, ratio)
        rows, columns = patch.rgba.shape[:2]
        centre_x, centre_y = self._centre(occluder, ratio, position, anchor, seed)
        return Overlay(
            rgba=patch.rgba,
            x0=_edge(centre_x * self._width - anchor[0] * columns, self._width - columns),
            y0=_edge(centre_y * self._height - anchor[1] * rows, self._height - rows),
            achieved=patch.achieved,
        )

    def _centre(
        self, occluder: Occluder, ratio: float, position: str, anchor: tuple[float, float], seed: int
    ) -> tuple[float, float]:
        """Return where the anchor goes, as shares of the image's width and height."""
        if position == "c":
            return 0.5, 0.5
        names = ["patterns", occluder.name, "position", position.removeprefix("r")]
        if self._patterns.positions_per_ratio:
            names.append(_percent(ratio))
        else:
            ratio = max(self._patterns.ratios)
        rows, columns = self._patch(occluder, ratio).rgba.shape[:2]
        across, down = stream(seed, *names).uniforms(2).tolist()
        return (
            (anchor[0] * columns + across * (self._width - columns)) / self._width,
            (anchor[1] * rows + down * (self._height - rows)) / self._height,
        )

    def _require_fit(self, occluder: Occluder, anchor: tuple[float, float]) -> None:
        largest = max(self._patterns.ratios)
        rows, columns = self._patch(occluder, largest).rgba.shape[:2]
        what = (
            f"occluder {occluder.name} at ratio {largest:g} takes {columns} x {rows} px "
            f"and does not fit into a {self._width} x {self._height} px image"
        )
        if columns > self._width or rows > self._height:
            raise OcclusionError(f"{what}: lower ratios, or leave it out of occluders.")
        if self._patterns.centre and not (
            _reaches(anchor[0], columns, self._width) and _reaches(anchor[1], rows, self._height)
        ):
            raise OcclusionError(f"{what} with its centroid at the centre: use anchor: box, or leave it out.")

    def _patch(self, occluder: Occluder, ratio: float) -> Patch:
        if (occluder.name, ratio) not in self._patches:
            self._patches[occluder.name, ratio] = scale_to_ratio(occluder, ratio, self._height, self._width)
        return self._patches[occluder.name, ratio]


@lru_cache(maxsize=8)  # sizes, not patterns: images of many sizes must not fill the memory
def _at_size(patterns: Patterns, height: int, width: int) -> _PatternsAtSize:
    return _PatternsAtSize(patterns, height, width)


def _check_ratios(player: Occlusion, ratios: tuple[float, ...]) -> None:
    if not ratios:
        raise ConfigError("patterns needs at least one ratio, found none: give ratios, such as [0.1, 0.2].")
    for ratio in ratios:
        if not 0 < ratio <= _LARGEST_RATIO:
            raise ConfigError(f"patterns: ratios are shares of the image in (0, 0.5], found {ratio}: 20 % is 0.2.")
    check_different(player, "ratios", [_percent(ratio) for ratio in ratios])


def _reaches(anchor: float, length_px: int, image_px: int) -> bool:
    """Whether a box lies inside the image, to half a pixel, when its anchor is at the image's centre."""
    return image_px / 2 - anchor * length_px >= -0.5 and image_px / 2 + (1 - anchor) * length_px <= image_px + 0.5


def _edge(exact: float, last: int) -> int:
    """Round half up; the rounding itself may not leave the image."""
    return min(max(floor(exact + 0.5), 0), last)


def _percent(ratio: float) -> str:
    # not ``percent``: six digits, which stand in streams' names, so that a seventh would move positions
    return f"{ratio * 100:g}".replace(".", "p")
