"""What a decoder learns from: vectors of images, clean and occluded, and those images at the decoder's size."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import interpolate

from occbench.analyse.opened_run import OpenedRun
from occbench.bench.images.images import ImageSet, render_batch
from occbench.core.canonical import fingerprint
from occbench.core.errors import DatasetError
from occbench.core.files import whole_file
from occbench.core.types import CLEAN, Condition

__all__ = ["Decodable", "decodable", "shrink"]


@dataclass(frozen=True, eq=False)
class Decodable:
    """Vectors with the images they are to be turned into.

    Attributes:
        vectors: float32[N, 1 + K, D]: clean first, then K conditions.
        images: uint8[N, 1 + K, 3, S, S], in the same order.
    """

    vectors: Tensor
    images: Tensor

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def mean_image(self) -> Tensor:
        """float32[3, S, S] in 0..1: the mean of all images, the best that one can do without looking at a vector."""
        return self.mean_by_condition.mean(0)

    @property
    def mean_by_condition(self) -> Tensor:
        """float32[1 + K, 3, S, S] in 0..1: the mean of each condition, for who knows the occlusion and nothing else."""
        sums = torch.zeros(self.images.shape[1:], dtype=torch.float64)
        for one in self.images:
            sums += one
        return (sums / len(self) / 255).float()


def shrink(images: Tensor, size_px: int) -> Tensor:
    """Return uint8[B, 3, size, size] of uint8[B, 3, S, S], antialiased bilinear; as they are where S is that size."""
    if images.shape[-1] == size_px:
        return images
    made = interpolate(images.float(), size=(size_px, size_px), mode="bilinear", antialias=True, align_corners=False)
    return made.round().clamp(0, 255).to(torch.uint8)


def decodable(
    run: OpenedRun, images: ImageSet, conditions: Sequence[Condition], size_px: int, kept: Path | None = None
) -> Decodable:
    """Return what a run's network makes of images, clean and under conditions.

    Args:
        run: the trained network.
        images: N of them.
        conditions: K occlusions.
        size_px: edge of the images to decode to.
        kept: file to keep the result in, and to read it from the next time; None keeps nothing.

    Raises:
        DatasetError: the kept file is damaged or of other images.
    """
    identity = fingerprint(
        [run.manifest["fingerprint"], list(images.keys), [item.name for item in conditions], size_px]
    )
    if kept is not None and kept.is_file():
        return _read(kept, identity)
    device, renderer = run.pipeline.device, run.materials.renderer
    vectors, shrunk = [], []
    for number in range(len(images)):
        one = slice(number, number + 1)
        twins = torch.cat(
            [render_batch(images, one, condition, renderer, device) for condition in (CLEAN, *conditions)]
        )
        vectors.append(run.vectors(twins))
        shrunk.append(shrink(twins, size_px).cpu().contiguous())
    made = Decodable(torch.stack(vectors), torch.stack(shrunk))
    if kept is not None:
        with whole_file(kept) as temporary:
            save_file({"vectors": made.vectors, "images": made.images}, temporary, metadata={"identity": identity})
    return made


def _read(path: Path, identity: str) -> Decodable:
    try:
        with safe_open(path, framework="pt") as file:
            found = (file.metadata() or {}).get("identity")
            made = Decodable(file.get_tensor("vectors"), file.get_tensor("images"))
    except SafetensorError as error:
        raise DatasetError(f"{path} is damaged ({error}): delete it and run again.") from error
    if found != identity:
        raise DatasetError(
            f"{path} was made from another run, other images, occlusions or another size: give another --out, or "
            "delete it."
        )
    return made
