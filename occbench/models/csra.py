"""CSRA, class-specific residual attention: a head that looks at the feature map instead of its mean.

Zhu, Wu, "Residual Attention: A Simple but Effective Method for Multi-Label Recognition", ICCV 2021. Of a head with
temperature T, classifier w_c and feature vectors x_p at the places p of the map:

    s_c,p = w_c x_p / |w_c|        base_c = mean over p of s_c,p
    att_c = sum over p of s_c,p softmax_p(T s_c,p),    or max over p of s_c,p where T is 99
    logit_c = base_c + lambda att_c

Heads of different temperatures are summed.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from occbench.core.errors import ConfigError
from occbench.core.networks import Head
from occbench.core.options import check_range

__all__ = ["CSRA", "ResidualAttention"]

#: Number of heads -> their temperatures; 99 stands for the maximum.
_TEMPERATURES: Final[dict[int, tuple[int, ...]]] = {
    1: (1,),
    2: (1, 99),
    4: (1, 2, 4, 99),
    6: (1, 2, 3, 4, 5, 99),
    8: (1, 2, 3, 4, 5, 6, 7, 99),
}
_MAXIMUM: Final = 99


class ResidualAttention(nn.Module):
    """Feature maps float[B, K, H, W] to logits float[B, C].

    Attributes:
        weight: float[heads, C, K], the classifiers; there is no bias.
        temperatures: one for each head.
        strength: lambda, of the attention beside the mean.
        in_features: K.
        out_features: C.
    """

    def __init__(
        self, channels: int, num_classes: int, *, temperatures: tuple[int, ...], strength: float, seed: int
    ) -> None:
        """Draw the classifiers from ``seed``, uniform in +-1/sqrt(K), as a convolution's are by default."""
        super().__init__()
        self.in_features, self.out_features = channels, num_classes
        self.temperatures, self.strength = temperatures, strength
        draws = torch.Generator().manual_seed(seed)
        bound = channels**-0.5
        weight = torch.rand(len(temperatures), num_classes, channels, generator=draws)
        self.weight = nn.Parameter((2 * weight - 1) * bound)

    def forward(self, feature_map: Tensor) -> Tensor:
        """Return logits."""
        places = feature_map.flatten(2)
        logits = torch.zeros((), device=feature_map.device)
        for weight, temperature in zip(self.weight, self.temperatures, strict=True):
            scores = torch.matmul(weight / weight.norm(dim=1, keepdim=True), places)
            logits = logits + scores.mean(2) + self.strength * _attended(scores, temperature)
        return logits


def _attended(scores: Tensor, temperature: int) -> Tensor:
    if temperature == _MAXIMUM:
        return scores.amax(2)
    return (scores * (temperature * scores).softmax(2)).sum(2)


@dataclass(frozen=True)
class CSRA(Head):
    """Class-specific residual attention on the feature map.

    Attributes:
        heads: how many: 1, 2, 4, 6 or 8. The paper: 1 for VOC, 6 for COCO.
        strength: lambda, the weight of the attention beside the mean, 0 or more. The paper: 0.1 for VOC, 0.4 for COCO.

    Raises:
        ConfigError: an option outside of its range.
    """

    heads: int = 1
    strength: float = 0.1

    def __post_init__(self) -> None:
        """Check the options."""
        if self.heads not in _TEMPERATURES:
            raise ConfigError(
                f"csra has {', '.join(map(str, _TEMPERATURES))} heads, found {self.heads}. Use one of these."
            )
        check_range(self, "strength", 0.0)

    def build(self, channels: int, num_classes: int, seed: int) -> nn.Module:
        """Return a new ``ResidualAttention``; see ``Head.build``."""
        return ResidualAttention(
            channels, num_classes, temperatures=_TEMPERATURES[self.heads], strength=self.strength, seed=seed
        )
