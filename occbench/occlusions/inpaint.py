"""Inpainting: what a mask hides is made up anew by a diffusion model [Mallick et al. 2025, sections 3 and 4.2].

The recipe names *where* and *what* apart: any family says which pixels are hidden, an inpainting pipeline of diffusers
says what is put there. Only these pixels are taken from the model, whose autoencoder changes all of them; so the rest
of the image stays bit-identical, and a blackout and an inpainting by the same mask hide the same pixels.

The paper gives model ("SDv2-1"), prompt and "the proposed hyper-parameters". There is no inpainting checkpoint of
Stable Diffusion 2.1, so the default is that of version 2; steps, guidance, dilation and seeds are our choice.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from occbench.core.build import build_spec
from occbench.core.errors import BrokenImageError, ConfigError, OcclusionError
from occbench.core.interfaces import Occlusion
from occbench.core.options import settle_options
from occbench.core.pipelines import find_pipeline
from occbench.core.seeding import stream
from occbench.core.types import KEY_PATTERN, Condition, Example, Overlay
from occbench.occlusions.holes import picture_overlay
from occbench.occlusions.inpainter import Painting, Settings, load_inpainter
from occbench.occlusions.where import hidden_mask

__all__ = ["Inpaint"]

_CLASS: Final = "<object_class>"
_SYNSET: Final = re.compile(r" \(n\d{8}\)$")
_LIBRARIES: Final = ("diffusers", "transformers", "torch")


@dataclass(frozen=True)
class Inpaint(Occlusion):
    """Fills what another family hides with what a diffusion model makes up.

    Overlays are stored in the dataset, because a reader need not have the model, and because other hardware rounds
    differently. Each image has its own noise, drawn from the seed, its key and the condition, so that a batch changes
    nothing but the last bits of the arithmetic.

    Attributes:
        where: the family that says which pixels are hidden: ``name`` and, beside it, its options.
        model: a repository of the Hugging Face Hub, or a folder that ``save_pretrained`` wrote; any pipeline that
            ``AutoPipelineForInpainting`` knows.
        revision: commit, branch or tag of the repository; empty for the pinned commit of the default model, for others
            the newest. The dataset records which commit, or which files of a folder, it was.
        prompt: ``<object_class>`` stands for the name of the image's class.
        words: class name -> what the prompt says instead, for vocabularies that a text encoder does not know.
        steps: denoising steps.
        guidance: scale of the classifier-free guidance.
        dilation_px: radius by which the region that the model makes up is larger than the hidden one, pixels at
            ``size_px``; it hides the rim of the hidden object from the model and does not change what is hidden.
        size_px: side of the square that the image is resized to for the model.
        dtype: ``fp32``, ``fp16`` or ``bf16``; use ``fp32`` on a CPU.
        batch_size: images at once; halved where the memory does not suffice.
        prefix: what condition names begin with.
    """

    per_image: ClassVar[bool] = True
    recomputable: ClassVar[bool] = False
    uses_gpu: ClassVar[bool] = True

    where: Mapping[str, Any] = field(default_factory=lambda: {"name": "part_blackout"}, hash=False)
    model: str = "sd2-community/stable-diffusion-2-inpainting"
    revision: str = ""
    prompt: str = f"A class of {_CLASS}"
    words: Mapping[str, str] = field(default_factory=dict, hash=False)
    steps: int = 50
    guidance: float = 7.5
    dilation_px: int = 8
    size_px: int = 512
    dtype: Literal["fp32", "fp16", "bf16"] = "fp16"
    batch_size: int = 8
    prefix: str = "inpaint"

    def __post_init__(self) -> None:
        """Check the options; the model is looked for by ``provenance``.

        Raises:
            ConfigError: an option is out of its range.
            PluginError: there is no family of the name that ``where`` gives.
        """
        settle_options(self)
        if self.steps < 1 or self.batch_size < 1 or self.dilation_px < 0 or self.guidance < 0:
            raise ConfigError(
                "inpaint: steps and batch_size are at least 1, dilation_px and guidance at least 0, found "
                f"{self.steps}, {self.batch_size}, {self.dilation_px} and {self.guidance:g}."
            )
        if self.size_px < 8 or self.size_px % 8:
            raise ConfigError(f"inpaint: size_px is a multiple of 8, found {self.size_px}: Stable Diffusion 2 has 512.")
        if not KEY_PATTERN.fullmatch(self.prefix):
            raise ConfigError(f"inpaint: prefix is made of a-z, 0-9, _ and -, found {self.prefix!r}: rename it.")
        if not self._mask.recomputable and self._mask.uses_gpu:
            raise ConfigError("inpaint: where is itself inpainted; name the family that says which pixels are hidden.")

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """One condition per condition of ``where``, e.g. ``inpaint-part-blackout-50``."""
        return tuple(made for made, _ in self._by_name.values())

    def overlay(self, example: Example, condition: Condition, seed: int) -> Overlay:
        """Inpaint one image.

        Raises:
            BrokenImageError: the mask cannot be made for this image, or hides nothing of it.
            ConfigError, OcclusionError: as ``overlays``.
        """
        (made,) = self.overlays([example], condition, seed)
        if isinstance(made, BrokenImageError):
            raise made
        return made

    def overlays(
        self, examples: Sequence[Example], condition: Condition, seed: int
    ) -> list[Overlay | BrokenImageError]:
        """Inpaint several images at once; see ``Occlusion.overlays``.

        Raises:
            ConfigError: the model cannot be found or loaded.
            OcclusionError: the prompt names the class and the example does not, or the memory does not suffice.
        """
        made: list[Overlay | BrokenImageError | None] = []
        paintings: list[Painting] = []
        for example in examples:
            try:
                hidden = self.hidden(example, condition, seed)
            except BrokenImageError as error:
                made.append(error)
                continue
            noise = stream(seed, "inpaint", example.key, condition.name, "noise").integer(0, 2**32 - 1)
            paintings.append(Painting(example.image, hidden, self._prompt_for(example), noise))
            made.append(None)
        painted = iter(self._paint(paintings))
        return [next(painted) if item is None else item for item in made]

    def hidden(self, example: Example, condition: Condition, seed: int) -> NDArray[np.bool_]:
        """Return bool[H, W], the pixels that ``where`` hides wholly.

        Raises:
            BrokenImageError: the mask cannot be made for this image, or hides nothing of it.
        """
        hidden = hidden_mask(self._mask, example, self._by_name[condition.name][1], seed)
        if not hidden.any():
            raise BrokenImageError(f"{condition.parameters['where']['name']} hides no pixel of it")
        return hidden

    def summary(self) -> dict[str, Any]:
        """Return version and summary of the family that says where."""
        return {"where": {"version": self._mask.version, "summary": self._mask.summary()}}

    def provenance(self) -> dict[str, Any]:
        """Find the model, downloading it where it is not here yet, and return its revision and the libraries' versions.

        Raises:
            ConfigError: it cannot be found; the message says how to get it.
        """
        files = find_pipeline(self.model, self.revision)
        classes = files.classes
        return {
            "model": self.model,
            "revision": files.revision,
            "pipeline": classes["pipeline"],
            "scheduler": classes.get("scheduler", ""),
            "libraries": {name: metadata.version(name) for name in _LIBRARIES},
        }

    @cached_property
    def _mask(self) -> Occlusion:
        return build_spec(self.where, "occlusions", Occlusion, "inpaint: where")

    @cached_property
    def _by_name(self) -> dict[str, tuple[Condition, Condition]]:
        """Name -> (condition, the condition of ``where`` that it is made from)."""
        pairs = [(self._condition(masked), masked) for masked in self._mask.conditions]
        return {made.name: (made, masked) for made, masked in pairs}

    def _condition(self, masked: Condition) -> Condition:
        return Condition(
            name=f"{self.prefix}-{masked.name}",
            family="inpaint",
            group=f"{self.prefix}-{masked.group}",
            parameters={
                "where": {"name": masked.family, "condition": masked.name, **masked.parameters},
                "model": self.model,
                "prompt": self.prompt,
                "steps": self.steps,
                "guidance": self.guidance,
                "dilation_px": self.dilation_px,
                "size_px": self.size_px,
                "dtype": self.dtype,
            },
        )

    def _prompt_for(self, example: Example) -> str:
        if _CLASS not in self.prompt:
            return self.prompt
        if len(example.class_names) < len(example.labels):
            raise OcclusionError(
                f"inpaint's prompt names the class, and nobody said what the class of image {example.key} is called. "
                f"Give the examples class_names, or a prompt without {_CLASS}."
            )
        spoken = [self.words.get(name, _spoken(name)) for name in example.class_names]
        return self.prompt.replace(_CLASS, " and ".join(spoken) or "object")

    def _paint(self, paintings: Sequence[Painting]) -> list[Overlay]:
        if not paintings:
            return []
        inpainter = load_inpainter(find_pipeline(self.model, self.revision), self.dtype)
        settings = Settings(self.size_px, self.steps, self.guidance, self.dilation_px)
        pictures: list[NDArray[np.uint8]] = []
        for start in range(0, len(paintings), self.batch_size):
            pictures += inpainter.paint(paintings[start : start + self.batch_size], settings)
        return [
            picture_overlay(painting.hidden, picture) for picture, painting in zip(pictures, paintings, strict=True)
        ]


def _spoken(name: str) -> str:
    """Return a class name as one says it: an ImageNet name's first word, without synset and underscores."""
    return _SYNSET.sub("", name).partition(",")[0].replace("_", " ").strip()
