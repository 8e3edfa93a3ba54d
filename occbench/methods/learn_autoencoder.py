"""The auto-encoder of LEARN: feature maps to a small latent and back, at any map size.

Kotwal, Deshmukh, Gopal, "LEARN: Latent Enhancing feAture Reconstruction Network", arXiv 2402.06936: three convolutions
of kernel 3 with 64, 64 and 32 output channels, pooling in between, mirrored by transposed convolutions. With biases
that is 701,216 parameters at 512 channels, the "0.7M" of the paper's VGG16. Where the pooling stands is inferred: after
the first two convolutions, so that a 7 x 7 map has 32 latent numbers.
"""

from typing import Final

from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, max_pool2d

__all__ = ["AutoEncoder"]

_WIDTHS: Final = (64, 64, 32)


class AutoEncoder(nn.Module):
    """``decode(encode(map), *sides)`` has the map's own shape; a side of 1 is not halved any further."""

    def __init__(self, channels: int) -> None:
        """Make the layers.

        Args:
            channels: of the feature maps.
        """
        super().__init__()
        first, second, latent = _WIDTHS
        self.down1 = nn.Conv2d(channels, first, 3, padding=1)
        self.down2 = nn.Conv2d(first, second, 3, padding=1)
        self.latent = nn.Conv2d(second, latent, 3, padding=1)
        self.up1 = nn.ConvTranspose2d(latent, second, 3)
        self.up2 = nn.ConvTranspose2d(second, first, 3)
        self.out = nn.ConvTranspose2d(first, channels, 3, padding=1)

    def encode(self, maps: Tensor) -> Tensor:
        """Return latents float[B, 32, H // 4, W // 4] of maps float[B, C, H, W]."""
        halved = _halved(self.down1(maps).relu())
        latents: Tensor = self.latent(_halved(self.down2(halved).relu()))
        return latents

    def decode(self, latents: Tensor, height: int, width: int) -> Tensor:
        """Return maps float[B, C, height, width] of latents; not negative, as maps after a ReLU are not."""
        middle = _enlarged(self.up1, latents, _half(height), _half(width)).relu()
        maps: Tensor = self.out(_enlarged(self.up2, middle, height, width).relu())
        return maps.relu()

    def forward(self, maps: Tensor) -> Tensor:
        """Return reconstructed maps."""
        return self.decode(self.encode(maps), *maps.shape[2:])


def _half(side: int) -> int:
    return max(1, side // 2)


def _halved(maps: Tensor) -> Tensor:
    """Pool 2 x 2, but along a side of 1."""
    window = [min(2, side) for side in maps.shape[2:]]
    return max_pool2d(maps, window)


def _enlarged(layer: nn.ConvTranspose2d, maps: Tensor, height: int, width: int) -> Tensor:
    """Apply a transposed convolution of kernel 3 so that the result has the size that pooling came from.

    Along each side: pooling halves 2n and 2n + 1 alike to n. With stride 2 and no padding the kernel makes 2n + 1 of n;
    an even side takes a padding of 1 and one row more at the far end. A side that was not halved takes stride 1.
    """
    stride, padding, extra = [], [], []
    for side, wanted in zip(maps.shape[2:], (height, width), strict=True):
        doubled = wanted > side
        stride.append(2 if doubled else 1)
        padding.append(0 if doubled and wanted % 2 else 1)
        extra.append(1 if doubled and wanted % 2 == 0 else 0)
    return conv_transpose2d(maps, layer.weight, layer.bias, stride=stride, padding=padding, output_padding=extra)
