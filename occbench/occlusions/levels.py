"""Object-level occlusion: occluders placed until a wanted share of the *object*, not of the image, is hidden.

Source: the occluded PASCAL3D+ of Kortylewski et al. (CVPR 2020), with 20-40, 40-60 and 60-80 % of the object hidden by
white, noise, textures or natural objects, one mask for the first three; and that of Wang et al. (CVPR 2020), where the
hidden share of the background is controlled as well (FGL x BGL). How occluders are placed is published for the second:
random placements are drawn until one has the wanted shares (code: Angtian/OccludedPASCAL3D). So it is here, with draws
that are aimed better (``levels_placing``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from occbench.core.canonical import fingerprint
from occbench.core.errors import BrokenImageError, ConfigError
from occbench.core.files import hash_file
from occbench.core.interfaces import Occlusion
from occbench.core.options import check_different, settle_options
from occbench.core.seeding import Stream, stream
from occbench.core.types import KEY_PATTERN, Condition, Example, Overlay
from occbench.occlusions.banks.bank import load_bank
from occbench.occlusions.image_files import image_files
from occbench.occlusions.levels_fills import crop_texture, draw_noise, draw_texture, read_texture
from occbench.occlusions.levels_occluders import cutouts, of_other_classes
from occbench.occlusions.levels_painting import Fill, Picture, fill_outlines, paste_objects
from occbench.occlusions.levels_placing import Band, Goal, Placer, Scene

__all__ = ["Levels"]

_TYPES: Final = ("white", "noise", "texture", "object")
#: (name, low, high)
_Named = tuple[str, float, float]


@dataclass(frozen=True)
class Levels(Occlusion):
    """Hides a share of the object behind white, noise, texture or other objects.

    The object is the example's object mask or, where it has none, the union of its parts; of tight crops without either
    it may be the ``whole`` image. A share is sum(alpha) / 255 over the mask, divided by the mask's pixels; it is
    measured on every overlay and stands in every row. The three fillings of an image and level have the same mask and
    differ only in what they show; objects are placed on their own, as in the released sets. Occluders of the image's
    own class are never used.

    Attributes:
        levels: (name, low, high): shares of the object in [low, high), one level each.
        background: the same for shares of everything but the object, each combined with every level; empty leaves the
            background to chance.
        types: of ``white`` (255), ``noise`` (uniform RGB, every pixel its own), ``texture`` and ``object``.
        bank: occluders for ``object``, and for the outlines of the others, as for ``patterns``.
        outline: of white, noise and texture: an occluder's ``silhouette`` or its ``box``.
        textures: a folder of photographs to crop textures from; empty draws them.
        max_occluders: on the object, 1 to this; as many again may lie beside it where ``background`` is set.
        clip: whether occluders may reach over the image border; false keeps each wholly inside.
        tries: placements drawn for an image and level before it is given up.
        without_mask: an image with neither object mask nor parts is ``refused``, or as a ``whole`` the object.
    """

    per_image: ClassVar[bool] = True
    measures: ClassVar[tuple[str, ...]] = ("object_share", "background_share")

    levels: tuple[tuple[str, float, float], ...] = (("l1", 0.2, 0.4), ("l2", 0.4, 0.6), ("l3", 0.6, 0.8))
    background: tuple[tuple[str, float, float], ...] = ()
    types: tuple[Literal["white", "noise", "texture", "object"], ...] = _TYPES
    bank: str = "occbench-30"
    outline: Literal["silhouette", "box"] = "silhouette"
    textures: str = ""
    max_occluders: int = 3
    clip: bool = True
    tries: int = 1000
    without_mask: Literal["refused", "whole"] = "refused"

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: an option is out of its range.
        """
        settle_options(self)
        _check_bands(self, "levels", self.levels)
        _check_bands(self, "background", self.background)
        check_different(self, "types", self.types)
        if not self.levels:
            raise ConfigError("levels: levels needs one or more [name, low, high], e.g. [l1, 0.2, 0.4].")
        if not self.types:
            raise ConfigError(f"levels: types are of {', '.join(_TYPES)}, found none: name one.")
        for option, most in (("max_occluders", 16), ("tries", 1_000_000)):
            if not 1 <= getattr(self, option) <= most:
                raise ConfigError(f"levels: {option} is 1 to {most}, found {getattr(self, option)}: use 3 and 1000.")

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """One condition, and group, per level, background and type, in this order, e.g. ``l1-white``."""
        return tuple(
            self._condition(level, background, kind)
            for level in self.levels
            for background in (self.background or (None,))
            for kind in self.types
        )

    def overlay(self, example: Example, condition: Condition, seed: int) -> Overlay:
        """Place occluders until the condition's shares are hidden.

        Raises:
            BrokenImageError: the image has no object mask, or no placement reached the band in the allowed tries.
            OcclusionError: as ``levels_occluders.of_other_classes``.
        """
        kind, goal = condition.parameters["type"], _goal_of(condition)
        scene = Scene(_object_of(example, self.without_mask))
        height, width = scene.mask.shape
        if goal.background is not None and scene.area == scene.mask.size:
            raise BrokenImageError(f"image {example.key}: its object fills it, there is no background to hide")
        outline = None if kind == "object" else self.outline
        occluders = [cutouts(self.bank, outline)[number] for number in of_other_classes(load_bank(self.bank), example)]
        if kind == "object":
            paint = partial(paste_objects, occluders=occluders)
        else:
            fill = self._fill(kind, stream(seed, "levels", example.key, str(goal), kind), min(height, width))
            paint = partial(fill_outlines, occluders=occluders, fill=fill)
        # the fillings share one stream of placements, objects have their own
        place = stream(seed, "levels", example.key, str(goal), "object" if kind == "object" else "filling", "place")
        placer, shapes = Placer(self.max_occluders, self.clip, self.tries), [occluder.shape for occluder in occluders]
        for placement in placer.placements(place, scene, shapes, goal):
            overlay, hidden = _measured(paint(placement, height=height, width=width), scene)
            if overlay.achieved and goal.holds(hidden, (255 * scene.area, 255 * (height * width - scene.area))):
                return overlay
        raise BrokenImageError(
            f"image {example.key}: none of {self.tries} placements of {kind} hides {goal} of its {scene.area} px "
            "object: widen the band, or allow more occluders or tries"
        )

    def summary(self) -> dict[str, Any]:
        """Return the bank's name and fingerprint, the hash of every occluder, and one over all texture files."""
        bank = load_bank(self.bank)
        found: dict[str, Any] = {
            "bank": bank.name,
            "bank_fingerprint": bank.fingerprint,
            "occluders": {occluder.name: occluder.sha256 for occluder in bank.occluders},
        }
        if self.textures:
            found["textures_hash"] = fingerprint({path.name: hash_file(path) for path in self._texture_files})
        return found

    @cached_property
    def _texture_files(self) -> tuple[Path, ...]:
        return image_files(Path(self.textures), "textures")

    def _condition(self, level: _Named, background: _Named | None, kind: str) -> Condition:
        # a range stands under the name of what is measured, so that a reader can compare the two
        asked: dict[str, Any] = {"type": kind, "level": level[0], "object_share": list(level[1:])}
        names = [level[0], kind]
        if background is not None:
            asked |= {"background": background[0], "background_share": list(background[1:])}
            names.insert(1, background[0])
        return Condition(name="-".join(names), family="levels", group="-".join(names), parameters=asked)

    def _fill(self, kind: str, random: Stream, image_px: int) -> Fill:
        if kind == "white":
            return lambda height, width: np.full((height, width, 3), 255, dtype=np.uint8)
        if kind == "noise":
            return partial(draw_noise, random)
        if not self.textures:
            return partial(draw_texture, random, image_px=image_px)
        photograph = read_texture(self._texture_files[random.integer(0, len(self._texture_files))])
        return partial(crop_texture, photograph, random)


def _object_of(example: Example, without_mask: str) -> NDArray[np.bool_]:
    """Return the object mask, or the union of the parts, or all of an image that has neither where that is wanted.

    Raises:
        BrokenImageError: there is neither, or the resize rule left nothing of it.
    """
    known = [example.object_mask] if example.object_mask is not None else list(example.parts.values())
    if not known and without_mask == "whole":
        return np.ones(example.image.shape[:2], dtype=np.bool_)
    if not known:
        raise BrokenImageError(f"image {example.key}: it has no object mask and no part to hide a share of")
    mask = np.asarray(np.logical_or.reduce(known))
    if not mask.any():
        raise BrokenImageError(f"image {example.key}: the resize rule left nothing of its object")
    return mask


def _goal_of(condition: Condition) -> Goal:
    asked = condition.parameters
    beside = _band(asked["background"], *asked["background_share"]) if "background" in asked else None
    return Goal(_band(asked["level"], *asked["object_share"]), beside)


def _band(name: str, low: float, high: float) -> Band:
    return Band(name, Fraction(str(low)), Fraction(str(high)))


def _measured(picture: Picture, scene: Scene) -> tuple[Overlay, tuple[int, int]]:
    """Return the overlay, and sum(alpha) over (object, background)."""
    rgba, x0, y0 = picture
    alpha = rgba[..., 3]
    of_object = int(alpha[scene.mask[y0 : y0 + alpha.shape[0], x0 : x0 + alpha.shape[1]]].sum(dtype=np.int64))
    of_all = int(alpha.sum(dtype=np.int64))
    beside = scene.mask.size - scene.area
    measured = {
        "object_share": of_object / (255 * scene.area),
        "background_share": (of_all - of_object) / (255 * beside) if beside else 0.0,
    }
    return Overlay(rgba, x0, y0, of_all / (255 * scene.mask.size), measured), (of_object, of_all - of_object)


def _check_bands(player: Occlusion, option: str, bands: Sequence[_Named]) -> None:
    for band in bands:
        if len(band) != 3 or not KEY_PATTERN.fullmatch(str(band[0])):
            raise ConfigError(
                f"levels: {option} takes [name, low, high] with a name of a-z, 0-9, _ and -, found {list(band)}."
            )
        if not 0 <= band[1] < band[2] <= 1:
            raise ConfigError(
                f"levels: {option} {band[0]} needs 0 <= low < high <= 1, found [{band[1]}, {band[2]}): 20 % is 0.2."
            )
    check_different(player, f"names of {option}", [band[0] for band in bands])
