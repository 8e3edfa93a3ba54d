"""The roles of networks: what a backbone is cut from, a head on its feature map, and what looks at images beside it.

As in ``core.interfaces``, a player is a frozen dataclass whose fields are its options.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from occbench.core.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from occbench.core.trunk import Trunk

__all__ = ["Architecture", "Cut", "Extractor", "Head"]


@dataclass(frozen=True, eq=False)
class Cut:
    """A network cut at its deep feature vector (DFV).

    Attributes:
        trunk: normalised images -> DFV.
        head: DFV -> logits; a linear layer, or a sequence that ends in one (VGG: the last dropout, then it).
        mean: per channel, of pixel values in [0, 1].
        std: per channel, of pixel values in [0, 1].
        size_px: side of the square images that the network was designed for.
    """

    trunk: "Trunk"
    head: "nn.Module"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size_px: int


class Architecture(ABC):
    """A network that can be built with random or published weights, and cut into trunk and head: a plug-in ``models``.

    ``build`` and ``build_pretrained`` return the network in its library's own layout, the one that checkpoint files
    have; ``cut`` then takes it apart. Parameter initialisation uses the global generator of torch, which the caller
    seeds.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that ``load_backbone`` knows it by, e.g. ``torchvision/resnet18``."""

    @property
    def pretrained_id(self) -> str:
        """Which published weights ``build_pretrained`` loads, for the run record."""
        return "none"

    @abstractmethod
    def build(self, num_classes: int) -> "nn.Module":
        """Return the network with random weights and ``num_classes`` logits."""

    def build_pretrained(self) -> "nn.Module":
        """Return the network with its published weights and their own number of classes, downloading where needed.

        Raises:
            ConfigError: there are none, or they cannot be downloaded.
        """
        raise ConfigError(
            f"{self.name} has no published weights: train it from scratch, or give --weights {self.name}=FILE."
        )

    @abstractmethod
    def classifier(self, model: "nn.Module") -> str:
        """Return the dotted name of the last linear layer in the network's own layout."""

    @abstractmethod
    def cut(self, model: "nn.Module") -> Cut:
        """Take a built network apart; ``model`` is used up."""


class Head(ABC):
    """A head on feature maps, in place of pooling and last linear layer: a plug-in ``heads``."""

    @abstractmethod
    def build(self, channels: int, num_classes: int, seed: int) -> "nn.Module":
        """Return a module from feature maps float[B, K, H, W] to logits float[B, C], with random weights.

        Its attributes ``in_features`` and ``out_features`` are K and C.

        Args:
            channels: K.
            num_classes: C.
            seed: fixes the weights; the global generator is neither read nor advanced.
        """


class Extractor(ABC):
    """A frozen network beside the classifier that turns pixels into vectors: a plug-in ``extractors``."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length E of a vector."""

    @abstractmethod
    def vectors(self, pixels: "Tensor", names: Sequence[str]) -> "Tensor":
        """Return float[B, E] of images float32[B, 3, S, S] in 0..255, no gradients.

        Args:
            pixels: as the classifier sees them, occlusion included.
            names: seed whatever the extractor draws: equal names and pixels give equal vectors.
        """
