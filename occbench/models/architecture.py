"""The role of a network architecture: it can be built with random or published weights, and cut."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import nn

from occbench.core.errors import ConfigError
from occbench.models.trunk import Trunk

__all__ = ["Architecture", "Cut"]


@dataclass(frozen=True, eq=False)
class Cut:
    """A network cut at its deep feature vector.

    Attributes:
        trunk: normalised images -> DFV.
        head: DFV -> logits; a linear layer, or a sequence that ends in one (VGG: the last dropout, then it).
        mean: per channel, of pixel values in [0, 1].
        std: per channel, of pixel values in [0, 1].
        size_px: side of the square images that the network was designed for.
    """

    trunk: Trunk
    head: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size_px: int


class Architecture(ABC):
    """A network that can be built and cut; players are frozen dataclasses.

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
    def build(self, num_classes: int) -> nn.Module:
        """Return the network with random weights and ``num_classes`` logits."""

    def build_pretrained(self) -> nn.Module:
        """Return the network with its published weights and their own number of classes, downloading where needed.

        Raises:
            ConfigError: there are none, or they cannot be downloaded.
        """
        raise ConfigError(
            f"{self.name} has no published weights: train it from scratch, or give --weights {self.name}=FILE."
        )

    @abstractmethod
    def classifier(self, model: nn.Module) -> str:
        """Return the dotted name of the last linear layer in the network's own layout."""

    @abstractmethod
    def cut(self, model: nn.Module) -> Cut:
        """Take a built network apart; ``model`` is used up."""
