"""Deep feature vectors of images with their occluded twins, difference vectors and pseudo vectors.

Cen, Zhao, Li, Wang, "Deep feature augmentation for occluded image classification", section 3.1, equations 1 and 2:
``d_jk = v^_jk - v_j`` (image j, pattern k) and ``v~_ijk = v_i + beta * d_jk`` with j other than i.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from occbench.analyse.opened_run import OpenedRun
from occbench.bench.images.images import ImageSet, render_batch
from occbench.core.types import Condition

__all__ = ["PairedVectors", "paired_vectors"]


@dataclass(frozen=True, eq=False)
class PairedVectors:
    """Vectors of N images, clean and under K patterns.

    Attributes:
        labels: int64[N], head labels.
        clean: float32[N, D].
        occluded: float32[N, K, D].
    """

    labels: Tensor
    clean: Tensor
    occluded: Tensor

    @cached_property
    def differences(self) -> Tensor:
        """float32[N, K, D]: difference vectors, occluded minus clean (equation 1)."""
        return self.occluded - self.clean[:, None]

    def pseudo(self, image: int, beta: float = 1.0) -> Tensor:
        """Return float32[(N - 1) * K, D]: one image's pseudo vectors, by the difference vectors of all other images.

        Equation 2 over all patterns; with 40 images and 3 patterns these are the paper's 117.
        """
        others = torch.cat([self.differences[:image], self.differences[image + 1 :]])
        return self.clean[image] + beta * others.flatten(0, 1)


def paired_vectors(run: OpenedRun, images: ImageSet, conditions: tuple[Condition, ...]) -> PairedVectors:
    """Return the vectors of images, clean and under conditions, by the run's network in evaluation mode.

    Args:
        run: the trained network.
        images: N of them.
        conditions: K patterns.
    """
    renderer, device = run.materials.renderer, run.pipeline.device
    clean, occluded = [], []
    for number in range(len(images)):
        one = slice(number, number + 1)
        twins = [render_batch(images, one, condition, renderer, device) for condition in conditions]
        # in one batch, because kernels chosen by batch size round differently: twins that are equal must give zero
        vectors = run.vectors(torch.cat([images.images[one].to(device), *twins]))
        clean.append(vectors[0])
        occluded.append(vectors[1:])
    return PairedVectors(images.labels, torch.stack(clean), torch.stack(occluded))
