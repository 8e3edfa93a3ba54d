"""Trains a small inpainting pipeline on the embedded toy images, in minutes, on one core or a GPU.

    python -m occbench.models.train_tiny_inpainter --out FOLDER

FOLDER is then a diffusers pipeline that ``inpaint`` and ``diffusion_features`` take as their model. It works at 32 px,
where an autoencoder is not worth its time: its latents are the pixels (``tiny_diffusion``). The U-Net is trained as
those of latent diffusion models for inpainting are [Rombach et al., CVPR 2022, section 4.5]: from noisy latents of the
whole image, the mask and the latents of the masked image it predicts the velocity [Salimans and Ho, ICLR 2022]. Now and
then the prompt is empty, so that guidance can be used.
"""

import argparse
import logging
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn.functional import interpolate, max_pool2d, mse_loss
from torch.optim.lr_scheduler import LambdaLR

from occbench.core.interfaces import Source
from occbench.core.pipelines import pick_device, quiet_diffusers
from occbench.core.plugins import find_plugin
from occbench.core.seeding import stream
from occbench.core.types import Example
from occbench.models.tiny_diffusion import TinyDiffusion

__all__ = ["SIZES", "Rule", "main", "train"]

_log = logging.getLogger(__name__)

#: The pipeline that is trained.
SIZES: Final = TinyDiffusion(
    size_px=32,
    vae_widths=(8,),
    unet_widths=(32, 64, 96),
    attention=(False, False, True),
    prediction="v_prediction",
)
#: As ``inpaint`` has it by default.
_PROMPT: Final = "A class of {}"
#: The toy images are drawn larger and reduced, as photographs are.
_DRAWN_PX: Final = 64
#: Exponent of the timesteps' distribution; 1 is uniform.
_NOISINESS: Final = 0.6
#: Rectangles among the masks; the others are parts of the object.
_RECTANGLES: Final = 0.25


@dataclass(frozen=True)
class Rule:
    """How it is trained.

    Attributes:
        steps: optimiser steps.
        batch_size: images a step.
        lr: the highest; it rises over a tenth of the steps and falls to nothing.
        masks_per_image: masks that are drawn of each image, before training.
        unprompted: share of the images whose prompt is empty.
        average: share of the past that the averaged U-Net keeps at each step; the average is what is saved.
    """

    steps: int = 1000
    batch_size: int = 32
    lr: float = 2e-3
    masks_per_image: int = 4
    unprompted: float = 0.1
    average: float = 0.99


@dataclass(frozen=True, eq=False)
class _Latents:
    """What the U-Net learns from, one row per image and mask.

    Attributes:
        whole: float[N, 4, h, w], of the whole image.
        masked: float[N, 4, h, w], of the image with grey where it is hidden.
        masks: float[N, 1, h, w], 1 where it is hidden.
        labels: int64[N].
    """

    whole: Tensor
    masked: Tensor
    masks: Tensor
    labels: Tensor

    def rows(self, rows: Tensor) -> "_Latents":
        return _Latents(self.whole[rows], self.masked[rows], self.masks[rows], self.labels[rows])


def train(examples: Sequence[Example], names: Sequence[str], rule: Rule, seed: int = 0) -> Any:  # noqa: ANN401
    """Train a pipeline of ``SIZES``.

    Args:
        examples: images of one size, a multiple of the pipeline's, with part masks and one label each.
        names: class names in label order.
        rule: how.
        seed: names everything that is drawn.

    Returns:
        A ``StableDiffusionInpaintPipeline`` on the CPU.
    """
    device = pick_device()
    draws = Generator().manual_seed(stream(seed, "train_tiny_inpainter", "draws").seed())
    pipeline = SIZES.build(seed)
    pipeline.unet.to(device, memory_format=torch.channels_last)
    data = _joined([_prepared(pipeline, examples, draws) for _ in range(rule.masks_per_image)], device)
    prompts = ["", *(_PROMPT.format(name.replace("_", " ")) for name in names)]
    embeddings = _embedded(pipeline, prompts).to(device)
    _train_denoiser(pipeline, data, embeddings, rule, draws)
    return pipeline.to("cpu")


def _train_denoiser(pipeline: Any, data: _Latents, embeddings: Tensor, rule: Rule, draws: Generator) -> None:  # noqa: ANN401
    """Train the U-Net and leave its running average in the pipeline."""
    unet, schedule, device = pipeline.unet.train(), pipeline.scheduler, embeddings.device
    weights = list(unet.parameters())
    averages = [weight.detach().clone() for weight in weights]
    adam = torch.optim.AdamW(unet.parameters(), lr=rule.lr, weight_decay=1e-4)
    rate = LambdaLR(adam, lambda number: _share_of_rate(number, rule.steps))
    start = time.monotonic()
    for number in range(1, rule.steps + 1):
        batch = data.rows(torch.randint(len(data.labels), (rule.batch_size,), generator=draws).to(device))
        # more of the noisy ones, at which colours and outlines are decided
        noisiness = torch.rand(rule.batch_size, generator=draws) ** _NOISINESS
        timesteps = (noisiness * schedule.config.num_train_timesteps).long().to(device)
        noise = torch.randn(batch.whole.shape, generator=draws).to(device)
        prompted = (torch.rand(rule.batch_size, generator=draws) >= rule.unprompted).to(device)
        noisy = schedule.add_noise(batch.whole, noise, timesteps)
        inputs = torch.cat([noisy, batch.masks, batch.masked], dim=1).contiguous(memory_format=torch.channels_last)
        wanted = embeddings[torch.where(prompted, batch.labels + 1, 0)]
        found = unet(inputs, timesteps, encoder_hidden_states=wanted).sample
        loss = mse_loss(found, schedule.get_velocity(batch.whole, noise, timesteps))
        adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        adam.step()
        rate.step()
        for average, weight in zip(averages, weights, strict=True):
            average.lerp_(weight.detach(), 1 - rule.average)
        if number % 50 == 0 or number == rule.steps:
            passed_s = time.monotonic() - start
            _log.info("step %d of %d: loss %.4f, %.0f s", number, rule.steps, float(loss.detach()), passed_s)
    for average, weight in zip(averages, weights, strict=True):
        weight.detach().copy_(average)
    unet.eval()


def _share_of_rate(number: int, steps: int) -> float:
    warm = max(1, steps // 10)
    if number < warm:
        return (number + 1) / warm
    return 0.5 + 0.5 * math.cos(math.pi * (number - warm) / max(1, steps - warm))


@torch.no_grad()
def _prepared(pipeline: Any, examples: Sequence[Example], draws: Generator) -> _Latents:  # noqa: ANN401
    """Draw a mask of every image, turn half of them round, and encode both."""
    side = SIZES.size_px
    pixels = torch.from_numpy(np.stack([example.image for example in examples])).permute(0, 3, 1, 2)
    images = interpolate(pixels.float() / 127.5 - 1, (side, side), mode="area")
    drawn = np.stack([_mask(list(example.parts.values()), draws) for example in examples])
    masks = torch.from_numpy(drawn)[:, None]
    # hidden wherever a hidden pixel reaches, and a rim of one pixel more, as ``inpaint`` with ``dilation_px: 1``
    masks = max_pool2d(max_pool2d(masks, masks.shape[-1] // side), 3, stride=1, padding=1)
    turned = (torch.rand(len(images), generator=draws) < 0.5)[:, None, None, None]
    images, masks = (torch.where(turned, values.flip(3), values) for values in (images, masks))
    scale = pipeline.vae.config.scaling_factor

    def encoded(values: Tensor) -> Tensor:
        return torch.cat([pipeline.vae.encode(part).latent_dist.mode() * scale for part in torch.split(values, 64)])

    labels = torch.tensor([example.labels[0] for example in examples])
    return _Latents(encoded(images), encoded(torch.where(masks < 0.5, images, 0.0)), masks, labels)


def _joined(parts: Sequence[_Latents], device: torch.device) -> _Latents:
    names = (field.name for field in fields(_Latents))
    return _Latents(*(torch.cat([getattr(part, name) for part in parts]).to(device) for name in names))


def _mask(parts: Sequence[NDArray[np.bool_]], draws: Generator) -> NDArray[np.float32]:
    """Return float32[H, W], 1 on some of the parts or on a rectangle."""
    height, width = parts[0].shape
    uniform = torch.rand(5, generator=draws).tolist()
    if uniform[0] < _RECTANGLES:
        rows, columns = (
            round(side * (0.2 + 0.5 * share)) for side, share in zip((height, width), uniform[1:3], strict=True)
        )
        top, left = round(uniform[3] * (height - rows)), round(uniform[4] * (width - columns))
        mask = np.zeros((height, width), dtype=np.float32)
        mask[top : top + rows, left : left + columns] = 1
        return mask
    count = 1 + int(uniform[1] * (len(parts) - 1))
    chosen = torch.randperm(len(parts), generator=draws)[:count].tolist()
    return np.asarray(np.logical_or.reduce([parts[number] for number in chosen]), dtype=np.float32)


@torch.no_grad()
def _embedded(pipeline: Any, prompts: Sequence[str]) -> Tensor:  # noqa: ANN401
    tokens = pipeline.tokenizer(list(prompts), padding="max_length", return_tensors="pt").input_ids
    embeddings: Tensor = pipeline.text_encoder(tokens)[0]
    return embeddings


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on toyparts' training images and write the pipeline."""
    rule = Rule()
    parser = argparse.ArgumentParser(prog="train_tiny_inpainter", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the pipeline")
    parser.add_argument("--images-per-class", type=int, default=200)
    parser.add_argument("--steps", type=int, default=rule.steps)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    toyparts: Any = find_plugin("sources", "toyparts", Source)
    source = toyparts(images_per_class=options.images_per_class, size_px=_DRAWN_PX, split="train")
    examples = [source[index] for index in range(len(source))]
    pipeline = train(examples, source.classes, Rule(steps=options.steps), options.seed)
    with quiet_diffusers():
        pipeline.save_pretrained(options.out)
    _log.info("%s inpaints at %d px", options.out, SIZES.size_px)


if __name__ == "__main__":
    main()
