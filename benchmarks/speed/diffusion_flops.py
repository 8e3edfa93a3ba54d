"""Count the arithmetic of one inpaint with Stable Diffusion 2, layer by layer, without its weights and without a GPU.

    python benchmarks/speed/diffusion_flops.py [--steps 50] [--out FILE.json]

The networks are built on torch's meta device from the published configuration, so nothing is downloaded or computed;
a multiplication and an addition count as two operations, normalisation and activations are left out. What a GPU
needs for it follows from what it sustains, which `occbench generate part-inpaint --dry-run` measures.
"""

import argparse
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from machine import tell
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

_SIDE_PX = 512


def main() -> None:
    options = _options()
    with torch.device("meta"), torch.no_grad():
        unet = UNet2DConditionModel(
            sample_size=_SIDE_PX // 8,
            in_channels=9,
            block_out_channels=(320, 640, 1280, 1280),
            attention_head_dim=[5, 10, 20, 20],
            cross_attention_dim=1024,
            use_linear_projection=True,
        )
        autoencoder = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            latent_channels=4,
            sample_size=_SIDE_PX,
        )
        latents = torch.zeros(1, 4, _SIDE_PX // 8, _SIDE_PX // 8)
        with FlopCounterMode(display=False) as step:
            unet(torch.zeros(1, 9, *latents.shape[2:]), torch.zeros(1), torch.zeros(1, 77, 1024))
        with FlopCounterMode(display=False) as encoding:
            autoencoder.encode(torch.zeros(1, 3, _SIDE_PX, _SIDE_PX))
        with FlopCounterMode(display=False) as decoding:
            autoencoder.decode(latents)
    # guidance takes two passes of the U-Net a step
    total = 2 * options.steps * step.get_total_flops() + encoding.get_total_flops() + decoding.get_total_flops()
    result = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: metadata.version(name) for name in ("torch", "diffusers")},
        "side_px": _SIDE_PX,
        "steps": options.steps,
        "guidance": True,
        "million_parameters": {"unet": _millions(unet), "autoencoder": _millions(autoencoder)},
        "teraflop": {
            "unet_pass": round(step.get_total_flops() / 1e12, 4),
            "encoding": round(encoding.get_total_flops() / 1e12, 4),
            "decoding": round(decoding.get_total_flops() / 1e12, 4),
            "image": round(total / 1e12, 2),
        },
    }
    tell(result, options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


def _millions(model: nn.Module) -> float:
    return round(sum(weight.numel() for weight in model.parameters()) / 1e6, 1)


if __name__ == "__main__":
    main()
