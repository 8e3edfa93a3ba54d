"""The trunk: a sequence of named stages and the pooling that ends in the deep feature vector (DFV)."""

from collections.abc import Iterable

from torch import Tensor, nn

from occbench.core.errors import ConfigError

__all__ = ["TokenMap", "Trunk"]


class Trunk(nn.Module):
    """Images float[B, 3, S, S], normalised, to deep feature vectors float[B, D].

    The deep feature vector is the input of the network's last linear layer, before a dropout that stands directly in
    front of that layer.

    Attributes:
        stages: named stages; run in order they give the network's last activation.
        pool: that activation -> DFV. It may hold layers of its own (VGG's fc6 and fc7, a final norm).
        to_map: that activation -> feature map float[B, C, H, W]; an ``nn.Identity`` where it is one already.
        last_stage: names of the trunk's parameters that the trainable rule ``last-stage`` selects.
    """

    def __init__(
        self,
        stages: nn.Sequential,
        pool: nn.Module,
        to_map: nn.Module | None = None,
        last_stage: Iterable[str] | None = None,
    ) -> None:
        """Compose a trunk.

        Args:
            stages: see the class.
            pool: see the class.
            to_map: None where the activation after the last stage is the feature map.
            last_stage: None for the parameters of the last of ``stages`` and of ``pool``.
        """
        super().__init__()
        self.stages = stages
        self.pool = pool
        self.to_map = nn.Identity() if to_map is None else to_map
        if last_stage is None:
            final = [name for name, _ in stages.named_children()][-1]
            names = (name for name, _ in self.named_parameters())
            last_stage = (name for name in names if name.startswith((f"stages.{final}.", "pool.")))
        self.last_stage = frozenset(last_stage)

    @property
    def pools_map(self) -> bool:
        """Whether ``pool`` starts from the feature map; False for transformers with a class token."""
        return isinstance(self.to_map, nn.Identity)

    def features(self, images: Tensor) -> Tensor:
        """Return the feature map float[B, C, H, W] before pooling.

        Raises:
            ConfigError: the network has none (tokens that are no grid).
        """
        feature_map: Tensor = self.to_map(self.stages(images))
        if feature_map.ndim != 4:
            shape = "x".join(map(str, feature_map.shape))
            raise ConfigError(
                f"this network's last activation is {shape}, not a feature map. Use a CNN or a plain ViT."
            )
        return feature_map

    def forward(self, images: Tensor) -> Tensor:
        """Return the deep feature vectors float[B, D]."""
        vectors: Tensor = self.pool(self.stages(images))
        return vectors


class TokenMap(nn.Module):
    """Tokens float[B, prefix + N, D] of a vision transformer to the map float[B, D, side, side] of its N patches."""

    def __init__(self, prefix_tokens: int) -> None:
        """Remember how many tokens (class token, registers) stand before the patches."""
        super().__init__()
        self.prefix_tokens = prefix_tokens

    def forward(self, tokens: Tensor) -> Tensor:
        """Drop the prefix tokens and lay the others out as the square grid they came from."""
        patches = tokens[:, self.prefix_tokens :].transpose(1, 2)
        side = round(patches.shape[-1] ** 0.5)
        return patches.reshape(len(tokens), -1, side, side)
