"""Figure 7's grid: originals and what a decoder makes of their vectors."""

from typing import TYPE_CHECKING, Final

from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_decoded"]

_TITLES: Final = ("clean", "occluded", "decoded:\nclean vector", "decoded:\noccluded vector", "decoded:\npseudo vector")


def draw_decoded(images: Tensor, real: Tensor, pseudo: Tensor, rows: int) -> "Figure":
    """Draw some held-out images, each under another pattern.

    Args:
        images: uint8[N, 1 + K, 3, S, S], clean first.
        real: float32[N, 1 + K, 3, S, S] in 0..1, decoded.
        pseudo: float32[N, K, 3, S, S] in 0..1, decoded.
        rows: how many images, evenly spread.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.3 * len(_TITLES), 1.3 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, len(_TITLES), squeeze=False)
    patterns = pseudo.shape[1]
    for row in range(rows):
        image, pattern = row * len(images) // rows, row * patterns // rows
        shown = (
            images[image, 0].float() / 255,
            images[image, 1 + pattern].float() / 255,
            real[image, 0],
            real[image, 1 + pattern],
            pseudo[image, pattern],
        )
        for axes, pixels, title in zip(grid[row], shown, _TITLES, strict=True):
            axes.imshow(pixels.permute(1, 2, 0).numpy(), interpolation="nearest")
            axes.set_axis_off()
            if row == 0:
                axes.set_title(title, fontsize=8)
    return figure
