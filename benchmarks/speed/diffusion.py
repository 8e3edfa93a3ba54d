"""Time inpainting and diffusion features against the bare pipeline call and the bare network pass, in one run.

    python benchmarks/speed/diffusion.py --photos FOLDER [--model FOLDER_OR_REPOSITORY] [--out FILE.json]

Images per second: by wall clock on a GPU, by processor time without one, which leaves out the turns of other programs.
All ways see the same photographs under the same masks, with the same weights, batch and precision, and take turns batch
by batch. Without --model a random pipeline of Stable Diffusion's shape is built, a fortieth of its size: its time is
shorter than the real one's, and what we add to it weighs more.

`bare pipeline`: the pipeline's own call on pictures that have its size already; what it paints is dropped.
`inpaint`: the family's `overlays`: masks, resizing, painting, cutting out.
`generate`: `occbench generate`, from the file to the finished shards with hashes; model loaded before.
`bare pass`: autoencoder and the whole U-Net on pixels that are resident in the model's size.
`bare pass to the block`: the same, stopped behind the block.
`features`: `vectors` of the extractor: resizing, noise by name, the pass, means.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from generate import copy_photos
from machine import load, machine
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import interpolate

from occbench.core.pipelines import find_pipeline, pick_device
from occbench.core.prepare import read_prepared
from occbench.core.types import Example
from occbench.data.recipe import Recipe, parse_recipe
from occbench.generate.run import generate
from occbench.models import diffusion_features
from occbench.models.diffusion_features import DiffusionFeatures
from occbench.models.tiny_diffusion import TinyDiffusion
from occbench.occlusions.inpaint import Inpaint
from occbench.occlusions.inpainter import load_inpainter

_SIZES = TinyDiffusion(size_px=256, vae_widths=(32, 64, 64, 64), unet_widths=(96, 192, 192, 192))


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    result = machine()
    with TemporaryDirectory() as name:
        bench = _Bench(Path(name), options)
        turns = options.turns, options.passes
        painting = _take_turns({"bare pipeline": bench.bare_pipeline, "inpaint": bench.inpaint}, *turns)
        passing = _take_turns(
            {
                "bare pass": bench.bare_pass,
                "bare pass to the block": bench.bare_pass_to_the_block,
                "features": bench.features,
            },
            *turns,
        )
        generating_s = bench.generate()
    batch = options.batch_size
    result["versions"] |= {name: metadata.version(name) for name in ("torch", "diffusers", "transformers")}
    result |= {
        "load_at_end": load(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "clock": "wall" if torch.cuda.is_available() else "processor",
        "model": Path(options.model).name
        if options.model
        else f"random, {bench.parameters / 1e6:.0f} million parameters",
        "size_px": options.size_px,
        "steps": options.steps,
        "dtype": options.dtype,
        "batch_size": batch,
        "threads": options.threads,
        "turns": options.turns,
        "passes": options.passes,
        "images_per_s": {
            **{way: round(batch / statistics.median(times), 3) for way, times in (painting | passing).items()},
            "generate": round(options.batch_size * options.turns / generating_s, 3),
        },
        "share_of_bare": {
            "inpaint": _share(painting["bare pipeline"], painting["inpaint"]),
            "features": _share(passing["bare pass to the block"], passing["features"]),
            "features_of_the_whole_pass": _share(passing["bare pass"], passing["features"]),
        },
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


class _Bench:
    """The ways, on one model and one set of photographs."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._options = options
        self._folder = folder
        count = options.batch_size * options.turns
        copy_photos(options.photos, count, folder / "photos")
        model = options.model or str(_SIZES.save(folder / "model"))
        self._recipe = _recipe(model, options)
        source = self._recipe.open_source(str(folder / "photos"))
        examples = [read_prepared(source, index, self._recipe.prepare) for index in range(len(source))][:count]
        size = options.batch_size
        self._batches = [examples[start : start + size] for start in range(0, len(examples), size)]
        (family,) = self._recipe.build_occlusions()
        if not isinstance(family, Inpaint):
            raise TypeError(f"the recipe makes a {type(family).__name__}")
        self._family, self._condition = family, family.conditions[0]
        files = find_pipeline(model)
        self._pipeline = load_inpainter(files, options.dtype)._pipeline
        self.parameters = sum(weight.numel() for weight in self._pipeline.unet.parameters())
        self._extractor = DiffusionFeatures(
            model=model, dtype=options.dtype, size_px=options.size_px, batch_size=options.batch_size
        )
        self._device = pick_device()
        self._network = diffusion_features._load(files, options.dtype, self._device)
        self._pictures = [[_picture(example.image, options.size_px) for example in batch] for batch in self._batches]
        self._masks = [[self._mask(example) for example in batch] for batch in self._batches]
        self._prompts = [[self._family._prompt_for(example) for example in batch] for batch in self._batches]
        stacked = (torch.from_numpy(np.stack([example.image for example in batch])) for batch in self._batches)
        self._pixels = [batch.permute(0, 3, 1, 2).to(self._device).float() for batch in stacked]
        size = options.size_px, options.size_px
        self._resident = [(interpolate(batch, size) / 127.5 - 1).to(self._network._prompt) for batch in self._pixels]

    def _mask(self, example: Example) -> Image.Image:
        return _picture(self._family.hidden(example, self._condition, 0) * np.uint8(255), self._options.size_px)

    def bare_pipeline(self, turn: int) -> None:
        options = self._options
        self._pipeline(
            prompt=self._prompts[turn],
            image=self._pictures[turn],
            mask_image=self._masks[turn],
            height=options.size_px,
            width=options.size_px,
            num_inference_steps=options.steps,
            guidance_scale=7.5,
            generator=[torch.Generator().manual_seed(number) for number in range(options.batch_size)],
            output_type="np",
        )

    def inpaint(self, turn: int) -> None:
        self._family.overlays(self._batches[turn], self._condition, 0)

    def bare_pass(self, turn: int) -> None:
        with torch.no_grad():
            self._pass(turn)
        self._wait()

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
        self._wait()

    def generate(self) -> float:
        """Return seconds for a whole dataset of all photographs, the model being loaded."""
        start = _clock()
        generate(self._recipe, self._folder / "dataset", source_path=str(self._folder / "photos"))
        return _clock() - start

    def _pass(self, turn: int) -> None:
        vae, unet, prompt = self._network._vae, self._network._unet, self._network._prompt
        latents = vae.encode(self._resident[turn]).latent_dist.mode() * vae.config.scaling_factor
        if unet.config.in_channels == 9:
            latents = torch.cat([latents, latents[:, :1], latents], dim=1)
        unet(latents, 25, encoder_hidden_states=prompt.expand(len(latents), -1, -1))

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()


def _take_turns(ways: dict[str, Callable[[int], None]], turns: int, passes: int) -> dict[str, list[float]]:
    """Return seconds a batch for each way, one entry a turn; every way comes first, second and last equally often."""
    for way in ways.values():
        way(0)
    names = list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(turns * passes):
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            start = _clock()
            ways[name](number % turns)
            seconds[name].append(_clock() - start)
    return seconds


def _clock() -> float:
    return time.perf_counter() if torch.cuda.is_available() else time.process_time()


def _share(bare: list[float], ours: list[float]) -> dict[str, float]:
    """Return our images per second over the bare ones."""
    ratios = [one / other for one, other in zip(bare, ours, strict=True)]
    return {
        "of_all_time": round(sum(bare) / sum(ours), 4),
        "median_of_turns": round(statistics.median(ratios), 4),
        "least": round(min(ratios), 4),
        "greatest": round(max(ratios), 4),
    }


def _recipe(model: str, options: argparse.Namespace) -> Recipe:
    inpaint = {
        "name": "inpaint",
        "where": {"name": "irregular", "bins": [["some", 0.2, 0.3]]},
        "model": model,
        "steps": options.steps,
        "size_px": options.size_px,
        "dtype": options.dtype,
        "batch_size": options.batch_size,
    }
    content: dict[str, Any] = {
        "name": "speed",
        "source": {"name": "image_folder"},
        "prepare": {"rule": "direct", "size_px": 224},
        "occlusions": [inpaint],
    }
    return parse_recipe(content, "speed")


def _picture(pixels: NDArray[np.uint8], side: int) -> Image.Image:
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEG or PNG files, searched to any depth")
    parser.add_argument("--model", help="folder or repository of an inpainting pipeline")
    parser.add_argument("--size-px", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--dtype", choices=("fp32", "fp16", "bf16"), default="fp32")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--turns", type=int, default=4, help="batches of photographs")
    parser.add_argument("--passes", type=int, default=3, help="times that every batch is taken")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the network, on a CPU")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
