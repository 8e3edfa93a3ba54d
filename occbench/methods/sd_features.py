"""Diffusion features: what a frozen Stable Diffusion makes of an image stands beside the classifier's own vector.

Mallick et al., "D-Feat Occlusions", arXiv 2504.06432, section 3, feature augmentation: U-Net features l_d of the image,
taken with an empty prompt, are fused with the classifier's feature vector l_f, and the fused vector is classified. The
paper says no more about the fusion. Inferred, with s = LN(W_d l_d), W_d: E -> D (LN: layer normalisation):

    concat   logits = W l_f + W_s s + b       a linear head [W, W_s] on the concatenation [l_f; s]; W_s starts at 0
    add      logits = head(l_f + s)           the gain of LN starts at 0
    gated    logits = head(l_f + tanh(W_g [l_f; s] + b_g) * s)       W_g and b_g start at 0

so that all of them are exactly the plain network at the first step, whose head (W, b) they keep. A normalisation of l_f
would change its logits, and is left out: the trunks in question (ConvNeXt, Swin) end in one already. It is W_s that
starts at 0 and not W_d, because the gradient of a layer normalisation at 0 is that of a division by sqrt(eps).

At training and at test time the diffusion model sees the very pixels that the classifier sees, occlusion and
augmentation included; both train on vectors rounded to half precision.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from occbench.core.options import settle_options
from occbench.core.tasks import EVERY_TASK
from occbench.core.training import Method, TrainingRun

__all__ = ["DiffusionFusion"]


@dataclass(frozen=True)
class DiffusionFusion(Method):
    """Classifies with features of a frozen diffusion model beside the network's own.

    An option that is None has the extractor's own default. The paper trains on twins with parts blacked out, too: give
    the arm ``twins: {name: part_blackout}``.

    Attributes:
        fusion: ``concat``, ``add`` or ``gated``; see the module's text.
        extractor: name of the ``Extractor``, ``file.py:Name`` for one of your own.
        model: the diffusion model, a Hub name or a folder.
        revision: of a Hub model.
        block: of the U-Net whose output is taken.
        timestep: of the noise schedule, 0 or more.
        size_px: side of the images that the diffusion model is shown.
        dtype: of the diffusion model's arithmetic.

    Raises:
        ConfigError: no such fusion.
    """

    fusion: Literal["concat", "add", "gated"] = "concat"
    extractor: str = "diffusion_features"
    model: str | None = None
    revision: str | None = None
    block: str | None = None
    timestep: int | None = None
    size_px: int | None = None
    dtype: str | None = None

    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    def __post_init__(self) -> None:
        """Check the fusion; the other options are checked by the extractor."""
        settle_options(self)

    def build(self, run: TrainingRun) -> nn.Module:
        """Make what fuses the vectors; see ``Method.build``."""
        side_dim = run.side_dim(self.extractor, self._options)
        if self.fusion == "concat":
            return _Concat(run.dim, side_dim, run.num_classes)
        return _Add(run.dim, side_dim) if self.fusion == "add" else _Gated(run.dim, side_dim)

    def loss(self, run: TrainingRun, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the task's loss of the fused vectors' logits; see ``Method.loss``."""
        return run.task.loss(self.predict(run, inputs), labels)

    def predict(self, run: TrainingRun, inputs: Tensor) -> Tensor:
        """Return the logits of the fused vectors; see ``Method.predict``."""
        vectors, side = run.vectors(inputs), run.side_vectors(self.extractor, self._options)
        if self.fusion == "concat":
            logits: Tensor = run.head(vectors) + run.module(side)
            return logits
        return run.head(run.module(vectors, side))

    @property
    def _options(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in ("model", "revision", "block", "timestep", "size_px", "dtype")}
        return {name: value for name, value in given.items() if value is not None}


class _Concat(nn.Module):
    """Side vectors float[B, E] to what they add to the logits, float[B, C]."""

    def __init__(self, dim: int, side_dim: int, num_classes: int) -> None:
        super().__init__()
        self.project = nn.Linear(side_dim, dim, bias=False)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, num_classes, bias=False)  # the network's own head has a bias
        nn.init.zeros_(self.head.weight)

    def forward(self, side: Tensor) -> Tensor:
        added: Tensor = self.head(self.norm(self.project(side)))
        return added


class _Add(nn.Module):
    """Feature vectors float[B, D] and side vectors float[B, E] to fused ones, float[B, D]."""

    def __init__(self, dim: int, side_dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(side_dim, dim, bias=False)
        self.norm = nn.LayerNorm(dim)
        nn.init.zeros_(self.norm.weight)

    def forward(self, vectors: Tensor, side: Tensor) -> Tensor:
        fused: Tensor = vectors + self.norm(self.project(side))
        return fused


class _Gated(nn.Module):
    """Feature vectors float[B, D] and side vectors float[B, E] to fused ones, float[B, D]."""

    def __init__(self, dim: int, side_dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(side_dim, dim, bias=False)
        self.norm = nn.LayerNorm(dim)
        self.gate = nn.Linear(2 * dim, dim)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def forward(self, vectors: Tensor, side: Tensor) -> Tensor:
        own = self.norm(self.project(side))
        gate = self.gate(torch.cat([vectors, own.to(vectors)], dim=1)).tanh()
        fused: Tensor = vectors + gate * own
        return fused
