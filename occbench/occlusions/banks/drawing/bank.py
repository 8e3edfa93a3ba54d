"""The embedded bank occbench-30: which drawing is which occluder."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from occbench.occlusions.banks.drawing import ball, bottle, cloth, cone, crate, fence, leaf, log, mug, umbrella
from occbench.occlusions.banks.drawing.canvas import Canvas
from occbench.occlusions.banks.writing import NewOccluder, write_bank

__all__ = ["DRAWINGS", "draw", "draw_bank", "names"]

#: Category -> the drawings of its looks 1, 2 and 3; the order is the bank's.
DRAWINGS: Final[dict[str, tuple[Callable[[Canvas], None], ...]]] = {
    "ball": (ball.football, ball.tennis_ball, ball.basketball),
    "box": (crate.cardboard_box, crate.wooden_crate, crate.gift_box),
    "bottle": (bottle.wine_bottle, bottle.cola_bottle, bottle.ketchup_bottle),
    "leaf": (leaf.toothed_leaf, leaf.maple_leaf, leaf.monstera_leaf),
    "fence": (fence.picket_fence, fence.garden_lattice, fence.rail_fence),
    "mug": (mug.china_mug, mug.enamel_mug, mug.stoneware_mug),
    "umbrella": (umbrella.red_umbrella, umbrella.beach_parasol, umbrella.dotted_umbrella),
    "cone": (cone.orange_cone, cone.yellow_cone, cone.blue_cone),
    "cloth": (cloth.gingham_towel, cloth.satin_drape, cloth.striped_blanket),
    "log": (log.oak_log, log.birch_log, log.chopping_block),
}


def names() -> list[str]:
    """Return the names of all occluders in the bank's order."""
    return [f"{category}{look}" for category, looks in DRAWINGS.items() for look in range(1, len(looks) + 1)]


def draw(name: str) -> NDArray[np.uint8]:
    """Return the occluder called ``name``: uint8[h, w, 4], straight alpha, tight, RGB 0 where alpha is 0.

    Raises:
        KeyError: no drawing has that name.
    """
    canvas = Canvas(name)
    DRAWINGS[name[:-1]][int(name[-1]) - 1](canvas)
    return canvas.finish()


def draw_bank(folder: Path) -> None:
    """Draw every occluder into ``folder`` and list them in ``bank.json``, which is written last.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    write_bank(
        folder, "occbench-30", "Apache-2.0", (NewOccluder(name[:-1], int(name[-1]), draw(name)) for name in names())
    )
