"""Inpainting and diffusion features beside the bare pipeline call and the bare network pass.

All ways see the same photographs under the same masks, with the same weights, batch and precision, and take turns batch
by batch. Where no pipeline is named a random one of Stable Diffusion's shape is built, a fortieth of its size: its time
is shorter than the real one's, and what we add to it weighs more.

`bare pipeline`: the pipeline's own call on pictures that have its size already; what it paints is dropped.
`inpaint`: the family's `overlays`: masks, resizing, painting, cutting out.
`generate`: `occbench generate`, from the file to the finished shards with hashes; model loaded before.
`bare pass`: autoencoder and the whole U-Net on pixels that are resident in the model's size.
`bare pass to the block`: the same, stopped behind the block.
`features`: `vectors` of the extractor: resizing, noise by name, the pass, means.
"""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import interpolate

from occbench.core.pipelines import find_pipeline, quiet_diffusers
from occbench.core.prepare import read_prepared
from occbench.core.types import Example
from occbench.data.recipe import Recipe, parse_recipe
from occbench.generate.run import generate
from occbench.models import diffusion_features
from occbench.models.diffusion_features import DiffusionFeatures
from occbench.models.tiny_diffusion import TinyDiffusion
from occbench.occlusions.inpaint import Inpaint
from occbench.occlusions.inpainter import load_inpainter

from .photographs import copy_photos, emptied
from .settings import Settings
from .turns import Row, compare, network_clock, take_turns

_RANDOM: Final = TinyDiffusion(size_px=256, vae_widths=(32, 64, 64, 64), unet_widths=(96, 192, 192, 192))


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this measurement."""
    with TemporaryDirectory() as name, quiet_diffusers():
        bench = _Bench(Path(name), settings)
        clock = network_clock()
        painting = take_turns(
            {"bare pipeline": in_turn(bench.bare_pipeline), "inpaint": in_turn(bench.inpaint)}, settings.turns, clock
        )
        ways = {"bare pass": bench.bare_pass, "bare pass to the block": bench.bare_pass_to_the_block}
        ways = {name: in_turn(way) for name, way in (ways | {"features": bench.features}).items()}
        passing = take_turns(ways, 2 * settings.turns, clock)
        whole = {"generate": bench.generate, "bare pipeline, all batches": bench.bare_pipelines}
        generating = take_turns(whole, max(1, settings.turns // 2), clock)
    batch = bench.batch_size
    facts = {
        "model": Path(settings.inpainter).name or f"random, {bench.parameters / 1e6:.0f} million parameters",
        "size_px": bench.size_px, "steps": bench.steps, "dtype": bench.dtype, "batch_size": batch,
    }  # fmt: skip
    yield compare("inpaint / bare pipeline", painting, ("inpaint", "bare pipeline"), batch, clock, **facts)
    pair = "generate", "bare pipeline, all batches"
    yield compare("generate / bare pipeline", generating, pair, bench.count, clock, **facts)
    for beside in ("bare pass to the block", "bare pass"):
        yield compare(f"features / {beside}", passing, ("features", beside), batch, clock, **facts)


def in_turn(way: Callable[[int], None]) -> Callable[[], None]:
    """Return the way with another batch every time."""
    turns = count()
    return lambda: way(next(turns) % _BATCHES)


_BATCHES: Final = 3


class _Bench:
    """The ways, on one model and one set of photographs."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        on_gpu = settings.device.type == "cuda"
        real = bool(settings.inpainter)
        self.size_px, self.steps = (512, 50) if real else (128, 10)
        self.dtype = "fp16" if on_gpu else "fp32"
        self.batch_size = settings.many(4, 16, least=2)
        self.count = self.batch_size * _BATCHES
        copy_photos(settings.photos, self.count, folder / "photos")
        model = settings.inpainter or str(_RANDOM.save(folder / "model"))
        self._recipe = self._recipe_with(model)
        source = self._recipe.open_source(str(folder / "photos"))
        examples = [read_prepared(source, index, self._recipe.prepare) for index in range(len(source))]
        size = self.batch_size
        self._batches = [examples[start : start + size] for start in range(0, len(examples), size)]
        (family,) = self._recipe.build_occlusions()
        if not isinstance(family, Inpaint):
            raise TypeError(f"the recipe makes a {type(family).__name__}")
        self._family, self._condition = family, family.conditions[0]
        files = find_pipeline(model)
        self._pipeline = load_inpainter(files, self.dtype)._pipeline
        self.parameters = sum(weight.numel() for weight in self._pipeline.unet.parameters())
        self._extractor = DiffusionFeatures(model=model, dtype=self.dtype, size_px=self.size_px, batch_size=size)
        self._device = settings.device
        self._network = diffusion_features._load(files, self.dtype, self._device)
        self._pictures = [[_picture(example.image, self.size_px) for example in batch] for batch in self._batches]
        self._masks = [[self._mask(example) for example in batch] for batch in self._batches]
        self._prompts = [[self._family._prompt_for(example) for example in batch] for batch in self._batches]
        stacked = (torch.from_numpy(np.stack([example.image for example in batch])) for batch in self._batches)
        self._pixels = [batch.permute(0, 3, 1, 2).to(self._device).float() for batch in stacked]
        side = self.size_px, self.size_px
        self._resident = [(interpolate(batch, side) / 127.5 - 1).to(self._network._prompt) for batch in self._pixels]

    def _mask(self, example: Example) -> Image.Image:
        return _picture(self._family.hidden(example, self._condition, 0) * np.uint8(255), self.size_px)

    def bare_pipeline(self, turn: int) -> None:
        self._pipeline(
            prompt=self._prompts[turn],
            image=self._pictures[turn],
            mask_image=self._masks[turn],
            height=self.size_px,
            width=self.size_px,
            num_inference_steps=self.steps,
            guidance_scale=7.5,
            generator=[torch.Generator().manual_seed(number) for number in range(self.batch_size)],
            output_type="np",
        )

    def bare_pipelines(self) -> None:
        for turn in range(_BATCHES):
            self.bare_pipeline(turn)

    def inpaint(self, turn: int) -> None:
        self._family.overlays(self._batches[turn], self._condition, 0)

    @torch.no_grad()
    def bare_pass(self, turn: int) -> None:
        vae, unet, prompt = self._network._vae, self._network._unet, self._network._prompt
        latents = vae.encode(self._resident[turn]).latent_dist.mode() * vae.config.scaling_factor
        if unet.config.in_channels == 9:
            latents = torch.cat([latents, latents[:, :1], latents], dim=1)
        unet(latents, 25, encoder_hidden_states=prompt.expand(len(latents), -1, -1))

    def bare_pass_to_the_block(self, turn: int) -> None:
        """Run everything up to the second decoder block, with later blocks taken out of the network."""
        unet = self._network._unet
        blocks, norm, out = unet.up_blocks, unet.conv_norm_out, unet.conv_out
        unet.up_blocks, unet.conv_norm_out, unet.conv_out = blocks[:2], None, torch.nn.Identity()
        try:
            self.bare_pass(turn)
        finally:
            unet.up_blocks, unet.conv_norm_out, unet.conv_out = blocks, norm, out

    def features(self, turn: int) -> None:
        names = [example.key for example in self._batches[turn]]
        self._extractor.vectors(self._pixels[turn], names)

    def generate(self) -> None:
        """Make a whole dataset of all photographs, the model being loaded."""
        with emptied(self._folder / "generated") as out:
            generate(self._recipe, out / "dataset", source_path=str(self._folder / "photos"))

    def _recipe_with(self, model: str) -> Recipe:
        inpaint = {
            "name": "inpaint", "where": {"name": "irregular", "bins": [["some", 0.2, 0.3]]}, "model": model,
            "steps": self.steps, "size_px": self.size_px, "dtype": self.dtype, "batch_size": self.batch_size,
        }  # fmt: skip
        content: dict[str, Any] = {
            "name": "speed",
            "source": {"name": "image_folder"},
            "prepare": {"rule": "direct", "size_px": 224},
            "occlusions": [inpaint],
        }
        return parse_recipe(content, "speed")


def _picture(pixels: NDArray[np.uint8], side: int) -> Image.Image:
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)
