"""Weighted nearest neighbours on frozen features, the probe that self-supervised networks are compared by.

Wu et al., "Unsupervised feature learning via non-parametric instance discrimination", CVPR 2018, section 3.4, and Caron
et al., "Emerging properties in self-supervised vision transformers", ICCV 2021 (k 20, temperature 0.07): the k training
images nearest by cosine vote for their classes with weights exp(cos / temperature).
"""

from dataclasses import dataclass
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from occbench.core.options import check_range
from occbench.core.training import Method, TrainingRun
from occbench.methods.fitted import Fitted, frozen_vectors, full_precision

__all__ = ["NearestNeighbours"]

#: Share of the votes that a class without any counts as, so that logits are finite.
_NO_VOTE: Final = 1e-6


@dataclass(frozen=True)
class NearestNeighbours(Method):
    """Lets the most similar training images vote, on features of a network that stays as it is.

    Any backbone will do: of ``timm/vit_base_patch14_dinov2.lvd142m`` and CLIP's image towers, such as
    ``timm/vit_base_patch16_clip_224.openai``, the features are those in front of the classifier. The features of all
    training images are kept with the model.

    Attributes:
        neighbours: how many vote, 1 or more; all training images where there are fewer.
        temperature: of the weights, above 0; None gives all of them the same weight.

    Raises:
        ConfigError: an option outside of its range.
    """

    neighbours: int = 20
    temperature: float | None = 0.07

    trains_backbone: ClassVar[bool] = False
    has_epochs: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the options."""
        check_range(self, "neighbours", 1)
        check_range(self, "temperature", 0.0, above=True)

    def build(self, run: TrainingRun) -> nn.Module:  # noqa: ARG002 - sizes come with the images
        """Make the memory of training images; see ``Method.build``."""
        return Fitted(["vectors", "labels"])

    def on_training_end(self, run: TrainingRun) -> None:
        """Remember the training images' features, of length 1, and their labels."""
        vectors, labels = frozen_vectors(run, "train")
        device = run.mean_pixel.device
        run.module_of(Fitted).put(vectors=normalize(vectors).to(device), labels=labels.to(device))

    def predict(self, run: TrainingRun, inputs: Tensor) -> Tensor:
        """Return the logarithm of each class's share of the votes; see ``Method.predict``."""
        known = run.module_of(Fitted)
        vectors = run.vectors(inputs)
        with full_precision(vectors):
            cosines = normalize(vectors.float()) @ known.vectors.T  # type: ignore[operator]
            nearest, which = cosines.topk(min(self.neighbours, cosines.shape[1]), dim=1)
            weights = torch.ones_like(nearest) if self.temperature is None else (nearest / self.temperature).softmax(1)
            voted = one_hot(known.labels[which], run.num_classes)  # type: ignore[index]
            votes = (weights[:, :, None] * voted).sum(1)
            return (votes / weights.sum(1, keepdim=True)).clamp(min=_NO_VOTE).log()
