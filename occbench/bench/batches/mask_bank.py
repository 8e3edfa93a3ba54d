"""A bank of masks: another part of every image is hidden in every epoch at the price of a look-up."""

import torch
from torch import Generator, Tensor

from occbench.bench.images.images import ImageSet
from occbench.core.errors import BrokenImageError, ConfigError
from occbench.core.types import Condition, Example
from occbench.data.render import Renderer

__all__ = ["MaskBank"]


class MaskBank:
    """Masks of some conditions, drawn once for black canvases of the images' size.

    Attributes:
        alpha: uint8[K, 1, S, S] on the device, 255 where an image is hidden.
        paint: uint8[K, 3, S, S], what is seen there; uint8[1, 3, 1, 1] where it is one colour for all masks, as holes
            are, which keeps a bank of 951 masks of 448 px in 0.2 GB instead of 0.8.
    """

    def __init__(
        self, images: ImageSet, renderer: Renderer, conditions: tuple[Condition, ...], size: int, device: torch.device
    ) -> None:
        """Draw the masks.

        Args:
            images: whose size the masks have.
            renderer: of the conditions.
            conditions: whose masks are drawn.
            size: masks of each condition; one of a condition whose overlay all images share.
            device: where they are kept.

        Raises:
            ConfigError: an occlusion that needs to know more of an image than its size.
        """
        canvas = torch.zeros(*images.images.shape[2:], 3, dtype=torch.uint8).numpy()
        sizes = [size if renderer.per_image(condition) else 1 for condition in conditions]
        drawn = [
            _drawn(renderer, Example(f"mask-{number:05d}", canvas, (0,)), condition)
            for condition, count in zip(conditions, sizes, strict=True)
            for number in range(count)
        ]
        overlays = torch.stack(drawn).permute(0, 3, 1, 2)
        self.alpha = overlays[:, 3:].to(device)
        self.paint = _one_colour(overlays, overlays[:, :3]).to(device)
        self._sizes = torch.tensor(sizes)
        self._starts = self._sizes.cumsum(0) - self._sizes

    def lay(self, images: Tensor, draws: Generator) -> Tensor:
        """Return the images, each under a mask of its own: first a condition is drawn, then one of its masks.

        Where a mask hides nothing, pixels are what they were, bit for bit.

        Args:
            images: float32[B, 3, S, S] in 0..255.
            draws: generator on the CPU.
        """
        condition = torch.randint(len(self._sizes), (len(images),), generator=draws)
        within = (torch.rand(len(images), generator=draws) * self._sizes[condition]).long()
        chosen = (self._starts[condition] + within).to(self.alpha.device)
        share = self.alpha[chosen].float() / 255
        paint = self.paint if len(self.paint) == 1 else self.paint[chosen]
        return images * (1 - share) + paint * share


def _drawn(renderer: Renderer, canvas: Example, condition: Condition) -> Tensor:
    """Return uint8[S, S, 4]."""
    try:
        return torch.from_numpy(renderer.full_overlay(canvas, condition))
    except BrokenImageError as error:
        raise ConfigError(
            f"a bank of masks is drawn for any image, and {condition.name} needs to know the image ({error}). Set "
            "pair_occlusions to irregular, patch_drop or patterns, or the method's masks to 0."
        ) from error


def _one_colour(overlays: Tensor, paint: Tensor) -> Tensor:
    """Return the paint, as one colour where all that hides is of it."""
    seen = paint.permute(0, 2, 3, 1)[overlays[:, 3] > 0]
    if len(seen) and bool((seen == seen[0]).all()):
        return seen[0].view(1, 3, 1, 1)
    return paint
