"""Running an inpainting pipeline of diffusers on batches: one per process, each image with its own noise."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occbench.core.errors import OcclusionError
from occbench.core.pipelines import PipelineFiles, loading, pick_device, torch_dtype

if TYPE_CHECKING:
    import torch

__all__ = ["Inpainter", "Painting", "Settings", "load_inpainter"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Painting:
    """One image to inpaint.

    Attributes:
        image: uint8[H, W, 3], RGB.
        hidden: bool[H, W], True where pixels are to be made up.
        prompt: what the whole image shows.
        seed: of its noise, 0 to 2**32 - 1.
    """

    image: NDArray[np.uint8]
    hidden: NDArray[np.bool_]
    prompt: str
    seed: int


@dataclass(frozen=True)
class Settings:
    """How a pipeline is run.

    Attributes:
        size_px: side of the square that it works on.
        steps: denoising steps.
        guidance: scale of the classifier-free guidance.
        dilation_px: by how much the region that is made up is larger than the hidden one, pixels of the square.
    """

    size_px: int
    steps: int
    guidance: float
    dilation_px: int


class Inpainter:
    """A loaded pipeline that takes as many images at once as its device has memory for.

    Attributes:
        at_once: images in a batch at most; halved for good whenever the memory does not suffice.
    """

    def __init__(self, pipeline: Any) -> None:  # noqa: ANN401 - diffusers ships no types
        """Take a pipeline that is on its device."""
        self._pipeline = pipeline
        self.at_once = 2**31

    def paint(self, paintings: Sequence[Painting], settings: Settings) -> list[NDArray[np.uint8]]:
        """Return what the model paints for each image, uint8[H, W, 3], in the image's own size.

        Pixels that are not hidden are painted, too, and differ from the image's.

        Raises:
            OcclusionError: not even one image fits into the memory, or the model's numbers overflow.
        """
        painted: list[NDArray[np.uint8]] = []
        while len(painted) < len(paintings):
            part = paintings[len(painted) : len(painted) + self.at_once]
            made = self._try(part, settings)
            if made is not None:
                painted += made
                continue
            # the failed call's tensors are only free now that its traceback is gone
            _free_memory()
            if len(part) == 1:
                raise OcclusionError(
                    f"one image of {settings.size_px} px does not fit into the memory of {self._pipeline.device}: "
                    "lower size_px, set dtype: fp16, or use a larger GPU."
                )
            self.at_once = len(part) // 2
            _log.warning("out of memory with %d images at once: going on with %d", len(part), self.at_once)
        return painted

    def _try(self, part: Sequence[Painting], settings: Settings) -> list[NDArray[np.uint8]] | None:
        """Paint a batch; None where the memory does not suffice."""
        import torch

        try:
            return self._call(part, settings)
        except torch.OutOfMemoryError:
            return None

    def _call(self, part: Sequence[Painting], settings: Settings) -> list[NDArray[np.uint8]]:
        import torch

        side = settings.size_px
        pictures = self._pipeline(
            prompt=[painting.prompt for painting in part],
            image=[Image.fromarray(_resized(painting.image, side, side)) for painting in part],
            mask_image=[Image.fromarray(_region(painting.hidden, settings)) for painting in part],
            height=side,
            width=side,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance,
            # on the CPU, so that the noise is the same on every device, and one each, so that it is in any batch
            generator=[torch.Generator().manual_seed(painting.seed) for painting in part],
            output_type="np",
        ).images
        if not np.isfinite(pictures).all():
            raise OcclusionError(
                "the model's numbers overflowed: use dtype: bf16 or fp32, in which its largest values fit."
            )
        pixels = (pictures * 255).round().astype(np.uint8)
        return [
            _resized(picture, painting.image.shape[1], painting.image.shape[0])
            for picture, painting in zip(pixels, part, strict=True)
        ]


def load_inpainter(files: PipelineFiles, dtype: str) -> Inpainter:
    """Load a pipeline onto this worker's device, once per process.

    Args:
        files: of the pipeline.
        dtype: ``fp32``, ``fp16`` or ``bf16``.

    Raises:
        ConfigError: it is not a pipeline, a file of it is damaged, or it cannot inpaint.
    """
    return _load(files, dtype, pick_device())


@lru_cache(maxsize=1)
def _load(files: PipelineFiles, dtype: str, device: "torch.device") -> Inpainter:
    from diffusers import AutoPipelineForInpainting

    with loading(files, "for inpainting"):
        # it paints what it dislikes black, which no image of a data set can use
        without = {"safety_checker": None} if "safety_checker" in files.classes else {}
        pipeline = AutoPipelineForInpainting.from_pretrained(files.folder, **without).to(device, torch_dtype(dtype))
    pipeline.set_progress_bar_config(disable=True)
    return Inpainter(pipeline)


def _free_memory() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _region(hidden: NDArray[np.bool_], settings: Settings) -> NDArray[np.uint8]:
    """Return uint8[S, S], 255 where the model makes pixels up: wherever a hidden pixel reaches, and around it."""
    side, grow = settings.size_px, settings.dilation_px
    region = (_resized(hidden.view(np.uint8) * np.uint8(255), side, side) > 0).view(np.uint8) * np.uint8(255)
    if grow:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1))
        region = np.asarray(cv2.dilate(region, disc), dtype=np.uint8)
    return region


def _resized(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if picture.shape[:2] == (height, width):
        return picture
    smaller = height * width < picture.shape[0] * picture.shape[1]
    filter_ = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=filter_), dtype=np.uint8)
