"""A small frozen network for tests of methods that look at side vectors."""

from dataclasses import dataclass

import torch

from occbench.core.networks import Extractor


@dataclass(frozen=True)
class ColourPlaces(Extractor):
    """Where an image has which colour: its pixels, made 4 x 4 px, through a random layer.

    Attributes:
        model: names the layer's weights.
        timestep: by how much the vectors are scaled, less one.
    """

    model: str = "a"
    timestep: int = 0

    @property
    def dim(self):
        return 20

    def vectors(self, pixels, names):
        assert len(names) == len(pixels)
        small = torch.nn.functional.adaptive_avg_pool2d(pixels / 255, 4).flatten(1)
        weight = torch.randn(48, 20, generator=torch.Generator().manual_seed(ord(self.model)))
        return (1 + self.timestep) * (small @ weight.to(small)).tanh()
