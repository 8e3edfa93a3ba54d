"""A network that turns deep feature vectors back into images.

Cen et al., supplement S.II: the generator of DCGAN (Radford et al. 2016) with the vector as its input, two more
transposed convolutions (64 to 256 px) and a plain convolution as the output layer. Channel numbers, normalisation and
output range are not printed; ours are DCGAN's, halved from stage to stage [inference].
"""

import itertools

from torch import Tensor, nn

from occbench.core.errors import ConfigError
from occbench.core.seeding import stream, torch_seeded

__all__ = ["DECODER_SIZES", "Decoder", "build_decoder"]

#: Edges in pixels that transposed convolutions reach from 4 x 4.
DECODER_SIZES = (16, 32, 64, 128, 256)
_FEWEST_CHANNELS = 16


class Decoder(nn.Module):
    """Transposed convolutions from a vector to an image.

    The first makes ``width`` channels of 4 x 4; each further one doubles the edge and halves the channels, to 16 at the
    least; BatchNorm and ReLU after each; then a 3 x 3 convolution to RGB and a sigmoid. At 256 px and width 1024 these
    are 1024, 512, 256, 128, 64, 32, 16 channels: DCGAN's five transposed convolutions and two more.
    """

    def __init__(self, dim: int, size_px: int, width: int) -> None:
        """Make the layers with torch's own initial weights.

        Args:
            dim: length D of a vector.
            size_px: edge of the image, one of ``DECODER_SIZES``.
            width: channels of the first stage.

        Raises:
            ConfigError: another size, or fewer than 16 channels.
        """
        super().__init__()
        if size_px not in DECODER_SIZES or width < _FEWEST_CHANNELS:
            raise ConfigError(
                f"a decoder's images are {', '.join(map(str, DECODER_SIZES))} px with {_FEWEST_CHANNELS} channels or "
                f"more to begin with; asked for {size_px} px and {width} channels."
            )
        doublings = (size_px // 4).bit_length() - 1
        channels = [max(_FEWEST_CHANNELS, width >> stage) for stage in range(doublings + 1)]
        layers: list[nn.Module] = [nn.ConvTranspose2d(dim, channels[0], 4, 1, 0, bias=False)]
        for before, after in itertools.pairwise(channels):
            layers += [nn.BatchNorm2d(before), nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(channels[-1]), nn.ReLU(), nn.Conv2d(channels[-1], 3, 3, padding=1), nn.Sigmoid()]
        self.layers = nn.Sequential(*layers)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return images float32[B, 3, S, S] in 0..1 of vectors float32[B, D]."""
        images: Tensor = self.layers(vectors[:, :, None, None])
        return images


def build_decoder(dim: int, size_px: int, width: int, seed: int) -> Decoder:
    """Return a decoder whose first weights follow from the seed; the global generator is put back.

    Raises:
        ConfigError: as ``Decoder``.
    """
    with torch_seeded(stream(seed, "decode", "weights").seed()):
        return Decoder(dim, size_px, width)
