"""``tiny``: a small convolutional network that learns the embedded toy images in seconds on a CPU."""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from occbench.core.networks import Architecture, Cut
from occbench.core.trunk import Trunk

__all__ = ["Tiny"]

_WIDTHS = (16, 32, 64, 128)


@dataclass(frozen=True)
class Tiny(Architecture):
    """Four stages of two 3x3 convolutions with BatchNorm and ReLU (16, 32, 64, 128 channels); the first of each halves.

    Feature vectors have 128 entries: the mean of the last map over its places. Meant for 64 px images; any side of at
    least 16 px works.
    """

    @property
    def name(self) -> str:
        """``tiny``."""
        return "tiny"

    def build(self, num_classes: int) -> nn.Module:
        """Return the network with random weights."""
        return _TinyNetwork(num_classes)

    def classifier(self, model: nn.Module) -> str:  # noqa: ARG002 - the role's signature
        """Return ``head``."""
        return "head"

    def cut(self, model: nn.Module) -> Cut:
        """Take the network apart."""
        if not isinstance(model, _TinyNetwork):
            raise TypeError(f"tiny cannot cut a {type(model).__name__}")
        return Cut(Trunk(model.stages, model.pool), model.head, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), 64)


class _TinyNetwork(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        widths = pairwise((3, *_WIDTHS))
        self.stages = nn.Sequential(
            OrderedDict((f"stage{number}", _stage(*pair)) for number, pair in enumerate(widths, start=1))
        )
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(_WIDTHS[-1], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.pool(self.stages(images)))
        return logits


def _stage(channels: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, stride in ((channels, 2), (width, 1)):
        layers += [nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)]
    return nn.Sequential(*layers)
