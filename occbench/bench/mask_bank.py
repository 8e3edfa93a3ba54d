"""A bank of hole masks: another part of every image is hidden in every epoch at the price of a look-up."""

import torch
from torch import Generator, Tensor

from occbench.bench.images import ImageSet
from occbench.core.errors import BrokenImageError, ConfigError
from occbench.core.types import Condition, Example
from occbench.data.render import Renderer

__all__ = ["MaskBank"]


class MaskBank:
    """Masks of some conditions, equally many of each, drawn once for black canvases of the images' size.

    Attributes:
        holes: bool[K, 1, S, S] on the device, True on the holes.
        colour: float32[3, 1, 1] in 0..255, what is seen in them.
    """

    def __init__(
        self, images: ImageSet, renderer: Renderer, conditions: tuple[Condition, ...], size: int, device: torch.device
    ) -> None:
        """Draw the masks.

        Args:
            images: whose size the masks have.
            renderer: of the conditions.
            conditions: whose masks are drawn.
            size: masks of each condition.
            device: where they are kept.

        Raises:
            ConfigError: an occlusion that is no hole of one colour, or that needs to know more of an image than its
                size.
        """
        canvas = torch.zeros(*images.images.shape[2:], 3, dtype=torch.uint8).numpy()
        holes, colours = [], set()
        for condition in conditions:
            for number in range(size):
                key = f"mask-{number:05d}"
                try:
                    overlay = renderer.full_overlay(Example(key, canvas, (0,)), condition)
                except BrokenImageError as error:
                    raise ConfigError(
                        f"masks are drawn for any image, and {condition.name} needs to know the image ({error}). Set "
                        "pair_occlusions to irregular or patch_drop, or the method's masks to 0."
                    ) from error
                pixels = torch.from_numpy(overlay)
                hole = pixels[..., 3] == 255
                colours |= {tuple(colour) for colour in torch.unique(pixels[hole][:, :3], dim=0).tolist()}
                if len(colours) > 1 or bool((pixels[..., 3][~hole] > 0).any()):
                    raise ConfigError(
                        f"masks are holes of one colour, and {condition.name} paints more. Set pair_occlusions to "
                        "irregular or patch_drop, or the method's masks to 0."
                    )
                holes.append(hole)
        self.holes = torch.stack(holes)[:, None].to(device)
        colour = next(iter(colours), (0, 0, 0))
        self.colour = torch.tensor(colour, dtype=torch.float32, device=device).view(3, 1, 1)

    def lay(self, images: Tensor, draws: Generator) -> Tensor:
        """Return the images, each with a mask of its own; pixels beside the holes are untouched.

        Args:
            images: float32[B, 3, S, S] in 0..255.
            draws: generator on the CPU.
        """
        chosen = torch.randint(len(self.holes), (len(images),), generator=draws).to(self.holes.device)
        return torch.where(self.holes[chosen], self.colour, images)
