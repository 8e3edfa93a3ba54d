"""Trains a small inpainting pipeline on the embedded toy images, in minutes, on one core or a GPU.

    python -m occbench.models.train_tiny_inpainter --out FOLDER

An autoencoder first, then the U-Net on its latents, as a latent diffusion model is trained [Rombach et al., CVPR 2022]:
the U-Net predicts the velocity [Salimans and Ho, ICLR 2022] of the whole image's latents from noisy ones, the mask and
the masked image's latents; every tenth prompt is empty, so that guidance can be used. FOLDER is then a diffusers pipeline
that ``inpaint`` and ``diffusion_features`` take as their model, at 64 px.
"""

import argparse
import logging
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn.functional import interpolate, l1_loss, max_pool2d, mse_loss
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from occbench.core.errors import SourceError
from occbench.core.interfaces import Source
from occbench.core.pipelines import pick_device, quiet_diffusers
from occbench.core.plugins import find_plugin
from occbench.core.seeding import stream
from occbench.core.types import Example
from occbench.models.tiny_diffusion import TinyDiffusion

__all__ = ["SIZES", "Rule", "train"]

_log = logging.getLogger(__name__)

#: The pipeline that is trained: latents of 16 x 16 for images of 64 px.
SIZES: Final = TinyDiffusion(
    size_px=64,
    vae_widths=(8, 16, 32),
    unet_widths=(48, 96, 96),
    attention=(False, True, True),
    text_width=32,
    prediction="v_prediction",
)
#: As ``inpaint`` has it by default.
_PROMPT: Final = "A class of {}"


@dataclass(frozen=True)
class Rule:
    """How it is trained.

    Attributes:
        autoencoder_steps: optimiser steps of the autoencoder.
        denoiser_steps: optimiser steps of the U-Net.
        masks_per_image: masks that the U-Net sees of each image; their latents are computed once.
        batch_size: images a step.
        learning_rate: the highest; it rises over a tenth of the steps and falls to nothing.
        kl_weight: how strongly the latents are drawn to a normal distribution.
        unprompted: share of the images whose prompt is empty.
        average: share of the past that the averaged U-Net keeps at each step; the average is what is saved.
    """

    autoencoder_steps: int = 500
    denoiser_steps: int = 1200
    masks_per_image: int = 4
    batch_size: int = 32
    learning_rate: float = 1e-3
    kl_weight: float = 1e-6
    unprompted: float = 0.1
    average: float = 0.995


def train(
    examples: Sequence[Example], names: Sequence[str], rule: Rule, seed: int = 0, sizes: TinyDiffusion = SIZES
) -> Any:  # noqa: ANN401, E501
    """Train a pipeline.

    Args:
        examples: images of ``sizes.size_px`` with part masks and one label each.
        names: class names in label order.
        rule: how.
        seed: names everything that is drawn.
        sizes: of the pipeline.

    Returns:
        A ``StableDiffusionInpaintPipeline`` on the CPU.
    """
    images = _Images(examples, rule.batch_size, pick_device(), seed)
    pipeline = sizes.build(seed)
    pipeline.vae.to(images.device, memory_format=torch.channels_last)
    pipeline.unet.to(images.device, memory_format=torch.channels_last)
    pipeline.text_encoder.to(images.device)
    _train_autoencoder(pipeline.vae, images, rule)
    _train_denoiser(pipeline, images, [_PROMPT.format(name.replace("_", " ")) for name in names], rule)
    return pipeline.to("cpu", torch.float32)


class _Images:
    """Training images on their device, and the draws that make batches of them."""

    def __init__(self, examples: Sequence[Example], batch_size: int, device: torch.device, seed: int) -> None:
        pixels = np.stack([example.image for example in examples])
        self.device = device
        self._pixels = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(device)
        self._labels = torch.tensor([example.labels[0] for example in examples])
        self._parts = [np.stack(list(example.parts.values())) for example in examples]
        self.batch_size = batch_size
        self.draws = Generator().manual_seed(stream(seed, "train_tiny_inpainter", "draws").integer(0, 2**31))

    def __len__(self) -> int:
        return len(self._labels)

    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return images float[B, 3, S, S] in -1..1, masks float[B, 1, S, S] (1 is hidden) and labels int64[B]."""
        rows = torch.randint(len(self), (self.batch_size,), generator=self.draws)
        pixels = self._pixels[rows.to(self.device)].float() / 127.5 - 1
        masks = np.stack([self._mask(self._parts[row]) for row in rows.tolist()])
        flips = torch.rand(len(rows), generator=self.draws).to(self.device)[:, None, None, None] < 0.5
        hidden = torch.from_numpy(masks)[:, None].to(self.device)
        grown = max_pool2d(hidden, 5, stride=1, padding=2)  # a rim of 2 px, as for ``inpaint`` with ``dilation_px: 2``
        pixels, grown = (torch.where(flips, values.flip(3), values) for values in (pixels, grown))
        return pixels.contiguous(memory_format=torch.channels_last), grown, self._labels[rows]

    def _mask(self, parts: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return a mask of some parts or, for one image in three, of a rectangle."""
        uniform = torch.rand(5, generator=self.draws).tolist()
        side = parts.shape[1]
        if uniform[0] < 1 / 3:
            mask = np.zeros((side, side), dtype=np.float32)
            height, width = (round(side * (0.2 + 0.5 * share)) for share in uniform[1:3])
            top, left = round(uniform[3] * (side - height)), round(uniform[4] * (side - width))
            mask[top : top + height, left : left + width] = 1
            return mask
        count = 1 + int(uniform[1] * max(1, len(parts) - 1))
        chosen = torch.randperm(len(parts), generator=self.draws)[:count].numpy()
        return np.asarray(parts[chosen].any(axis=0), dtype=np.float32)


class _Optimiser:
    """Adam with a learning rate that rises and falls once, gradients clipped, in half precision where that is quick."""

    def __init__(self, model: torch.nn.Module, steps: int, rule: Rule, what: str) -> None:
        self._model = model
        self._what = what
        self._steps = steps
        self._adam = torch.optim.AdamW(model.parameters(), lr=rule.learning_rate, weight_decay=1e-4)
        self._rate = torch.optim.lr_scheduler.LambdaLR(self._adam, self._share_of_rate)
        self._start = time.monotonic()

    def _share_of_rate(self, number: int) -> float:
        warm = self._steps / 10
        return min((number + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * max(0.0, number - warm) / (self._steps - warm)))

    def step(self, number: int, loss: Tensor) -> None:
        self._adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._adam.step()
        self._rate.step()
        if number % 100 == 99 or number == self._steps - 1:
            passed_s = time.monotonic() - self._start
            _log.info(
                "%s: step %d of %d, loss %.4f, %.0f s",
                self._what,
                number + 1,
                self._steps,
                float(loss.detach()),
                passed_s,
            )


def _train_autoencoder(vae: Any, images: _Images, rule: Rule) -> None:  # noqa: ANN401
    """Train the autoencoder, then set the factor that gives its latents unit variance."""
    vae.train()
    optimiser = _Optimiser(vae, rule.autoencoder_steps, rule, "autoencoder")
    for number in range(rule.autoencoder_steps):
        pixels, masks, _ = images.batch()
        # the U-Net is shown the latents of masked images, too
        shown = torch.where(masks < 0.5, pixels, 0.0) if number % 4 == 3 else pixels
        latents = vae.encode(shown).latent_dist
        noise = torch.randn(latents.mean.shape, generator=images.draws).to(images.device)
        restored = vae.decode(latents.mean + latents.std * noise).sample
        loss = l1_loss(restored, shown) + 0.5 * _edge_loss(restored, shown)
        optimiser.step(number, loss + rule.kl_weight * latents.kl().mean())
    vae.eval()
    with torch.no_grad():
        latents = vae.encode(images.batch()[0]).latent_dist.mode()
    vae.register_to_config(scaling_factor=round(1 / float(latents.std()), 4))


def _edge_loss(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean absolute difference of the images' differences between neighbours: blurred edges cost more."""
    return l1_loss(one.diff(dim=2), other.diff(dim=2)) + l1_loss(one.diff(dim=3), other.diff(dim=3))


def _train_denoiser(pipeline: Any, images: _Images, prompts: Sequence[str], rule: Rule) -> None:  # noqa: ANN401
    """Train the U-Net and leave its running average in the pipeline."""
    unet, schedule, draws = pipeline.unet.train(), pipeline.scheduler, images.draws
    with torch.no_grad():
        tokens = pipeline.tokenizer(["", *prompts], padding="max_length", return_tensors="pt").input_ids
        embeddings = pipeline.text_encoder(tokens.to(images.device))[0]
        examples = _latents(pipeline.vae, images, rule.masks_per_image)
    averaged = AveragedModel(unet, multi_avg_fn=get_ema_multi_avg_fn(rule.average))
    optimiser = _Optimiser(unet, rule.denoiser_steps, rule, "denoiser")
    for number in range(rule.denoiser_steps):
        rows = torch.randint(len(examples[0]), (rule.batch_size,), generator=draws).to(images.device)
        whole, masked, masks, labels = (values[rows] for values in examples)
        timesteps = torch.randint(schedule.config.num_train_timesteps, (len(rows),), generator=draws).to(images.device)
        noise = torch.randn(whole.shape, generator=draws).to(images.device)
        prompted = torch.rand(len(rows), generator=draws).to(images.device) >= rule.unprompted
        inputs = torch.cat([schedule.add_noise(whole, noise, timesteps), masks, masked], dim=1)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        wanted = embeddings[torch.where(prompted, labels + 1, 0)]
        velocity = unet(inputs, timesteps, encoder_hidden_states=wanted).sample
        optimiser.step(number, mse_loss(velocity, schedule.get_velocity(whole, noise, timesteps)))
        averaged.update_parameters(unet)
    unet.load_state_dict(averaged.module.state_dict())
    unet.eval()


def _latents(vae: Any, images: _Images, times: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: ANN401
    """Return what the U-Net is trained on: latents, masked images' latents, masks of the latents' size, labels."""
    found: list[tuple[Tensor, ...]] = []
    for _ in range(math.ceil(len(images) * times / images.batch_size)):
        pixels, masks, labels = images.batch()
        both = torch.cat([pixels, torch.where(masks < 0.5, pixels, 0.0)])
        whole, masked = (vae.encode(both).latent_dist.mode() * vae.config.scaling_factor).chunk(2)
        found.append((whole, masked, interpolate(masks, whole.shape[2:]), labels.to(images.device)))
    whole, masked, masks, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
    return whole, masked, masks, labels


def _toy_examples(images_per_class: int, size_px: int) -> tuple[list[Example], Sequence[str]]:
    options = {"images_per_class": images_per_class, "size_px": size_px, "split": "train"}
    source: Source = find_plugin("sources", "toyparts", Source)(**options)  # type: ignore[call-arg]
    if not len(source):
        raise SourceError("toyparts gives no images")
    return [source[index] for index in range(len(source))], source.classes


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on toyparts' training images and write the pipeline."""
    rule = Rule()
    parser = argparse.ArgumentParser(prog="train_tiny_inpainter", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the pipeline")
    parser.add_argument("--images-per-class", type=int, default=300)
    parser.add_argument("--autoencoder-steps", type=int, default=rule.autoencoder_steps)
    parser.add_argument("--denoiser-steps", type=int, default=rule.denoiser_steps)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    examples, names = _toy_examples(options.images_per_class, SIZES.size_px)
    rule = Rule(autoencoder_steps=options.autoencoder_steps, denoiser_steps=options.denoiser_steps)
    pipeline = train(examples, names, rule, options.seed)
    with quiet_diffusers():
        pipeline.save_pretrained(options.out)
    _log.info("%s is a pipeline for inpainting at %d px", options.out, SIZES.size_px)


if __name__ == "__main__":
    main()
