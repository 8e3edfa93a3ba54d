"""LEARN: an auto-encoder in front of the classifier's head turns features of occluded images into those of clean ones.

Kotwal, Deshmukh, Gopal, "LEARN: Latent Enhancing feAture Reconstruction Network", ICIP 2024 (arXiv 2402.06936):

    L = w_rec L_rec + w_intra L_intra + w_inter L_inter + w_cls L_cls

The backbone phi and the head h are frozen. With F_c = phi(clean), F_o = phi(occluded) of the same image, encoder E,
decoder D and z = E(F):

    L_rec    mean of (D(E(F_o)) - F_c)^2, and w_clean times that of (D(E(F_c)) - F_c)^2
    L_intra  mean of |z_o,i - m_(y_i)|^2                    z of length 1; m_y: their mean over the clean images of
                                                            class y in the batch, no gradient
    L_inter  mean over i and classes y != y_i of max(0, cos(z_o,i, m_y))
    L_cls    CE(h(D(E(F_o))), y)                            its gradient passes through h to D and E

The paper names the terms; weights, distances and centres are inferred. Latents are compared at length 1: with their own
length the intra-class term diverges, because latents of occluded images are the shorter ones and growing weights bring
them nearer to centres that stand still only for the gradient. The inter-class term is bounded, because a negative
squared distance has no least value. Every batch holds the clean twin of each of its occluded images, so every class in
it has a centre. At test time every image, clean or occluded, passes through the auto-encoder.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy, mse_loss, normalize

from occbench.core.options import check_probability, check_range
from occbench.core.training import Method, TrainingRun
from occbench.methods.learn_autoencoder import AutoEncoder

__all__ = ["Learn", "class_centres", "inter_class_loss", "intra_class_loss"]


@dataclass(frozen=True)
class Learn(Method):
    """Reconstructs the features of clean images from those of occluded ones, in front of a frozen head.

    The occluded images are made with the benchmark's ``pair_occlusions``. A weight of 0 leaves its term out.

    Attributes:
        intra: weight of the intra-class term, 0 or more.
        inter: weight of the inter-class term, 0 or more.
        cls: weight of the classification term, 0 or more.
        rec: weight of the reconstruction term, 0 or more. The paper: 1.
        clean: weight of reconstructing clean features, 0 or more.
        clean_share: probability that an image is left clean where an occluded one is asked for, 0 to 1.
        views: occluded views of each training image, 0 or more. 0 draws among all conditions of the pairs; with few,
            and images that are not augmented, features of a frozen network are computed once and kept.

    Raises:
        ConfigError: an option outside of its range.
    """

    intra: float = 1.0
    inter: float = 0.1
    cls: float = 1.0
    rec: float = 1.0
    clean: float = 1.0
    clean_share: float = 0.2
    views: int = 0

    needs: ClassVar[frozenset[str]] = frozenset({"map", "pairs"})
    trains_backbone: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the options."""
        for name in ("intra", "inter", "cls", "rec", "clean", "views"):
            check_range(self, name, 0.0)
        check_probability(self, "clean_share")

    def build(self, run: TrainingRun) -> nn.Module:
        """Make the auto-encoder; see ``Method.build``."""
        return AutoEncoder(run.channels)

    def loss(self, run: TrainingRun, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the weighted sum of the four terms; see ``Method.loss``."""
        occluded = run.occluded_inputs(self.views).to(inputs.dtype)
        stays = torch.rand(len(inputs), generator=run.draws) < self.clean_share
        mixed = torch.where(stays.to(inputs.device).view(-1, *[1] * (inputs.ndim - 1)), inputs, occluded)
        with torch.no_grad():
            clean_maps, occluded_maps = run.features(inputs), run.features(mixed)
        model = run.module_of(AutoEncoder)
        height, width = clean_maps.shape[2:]
        clean_latents, latents = model.encode(clean_maps), model.encode(occluded_maps)
        rebuilt = model.decode(latents, height, width)
        total = self.rec * mse_loss(rebuilt, clean_maps)
        if self.rec and self.clean:
            total = total + self.rec * self.clean * mse_loss(model.decode(clean_latents, height, width), clean_maps)
        codes = normalize(latents.flatten(1).float())
        centres, members = class_centres(normalize(clean_latents.flatten(1).float()), labels)
        if self.intra:
            total = total + self.intra * intra_class_loss(codes, centres, members)
        if self.inter:
            total = total + self.inter * inter_class_loss(codes, centres, members)
        if self.cls:
            total = total + self.cls * cross_entropy(run.head(run.pool(rebuilt)), labels)
        return total

    def predict(self, run: TrainingRun, inputs: Tensor) -> Tensor:
        """Return the frozen head's logits of reconstructed features; see ``Method.predict``."""
        return run.head(run.pool(run.module_of(AutoEncoder)(run.features(inputs))))


def class_centres(clean_latents: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return (centres float[K, Z] of the K classes in a batch, without gradient; int64[B], each image's own).

    Args:
        clean_latents: float[B, Z], of the clean images.
        labels: int64[B].
    """
    classes, members = torch.unique(labels, return_inverse=True)
    sums = torch.zeros(len(classes), clean_latents.shape[1], device=labels.device)
    sums.index_add_(0, members, clean_latents.detach())
    return sums / members.bincount(minlength=len(classes))[:, None], members


def intra_class_loss(latents: Tensor, centres: Tensor, members: Tensor) -> Tensor:
    """Return the mean squared distance of latents float[B, Z] to their class's centre."""
    return (latents - centres[members]).square().sum(1).mean()


def inter_class_loss(latents: Tensor, centres: Tensor, members: Tensor) -> Tensor:
    """Return the mean positive cosine of latents float[B, Z] with the centres of other classes; 0 with one class."""
    cosines = cosine_similarity(latents[:, None], centres[None], dim=2).relu()
    others = torch.ones_like(cosines).scatter(1, members[:, None], 0.0)
    return (cosines * others).sum() / others.sum().clamp(min=1)
