"""Project how long D-Feat at full scale takes on one GPU, by counting floating-point operations; computes nothing big.

    python benchmarks/speed/project_dfeat.py [--peak 989] [--low 0.2] [--high 0.4]

The networks are built without weights (torch's meta device), a forward pass is counted by torch's own counter, and the
counts are multiplied by how often `dfeat-patchdrop` asks for them. A training step counts as three forward passes.
Hours are at a range of shares of the GPU's dense bf16 peak, because no GPU was measured: 989 TFLOP/s is an H100 SXM's.
Decoding, the text encoder, the scheduler and everything else on the CPU are left out.
"""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata

import timm
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode

from occbench.bench.protocol.benchmark import load_benchmark
from occbench.occlusions.inpaint import Inpaint

#: PartImageNet, all splits; ImageNet's validation images of its classes [METHODS 5.3].
_TRAIN, _TEST = 24_095, 158 * 50
#: The configuration of Stable Diffusion 2: `unet/config.json` and `vae/config.json` of its repositories.
_UNET = {
    "sample_size": 64,
    "cross_attention_dim": 1024,
    "attention_head_dim": (5, 10, 20, 20),
    "use_linear_projection": True,
}
_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
}
_UP_BLOCKS_TO_UP1 = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peak", type=float, default=989.0, help="dense bf16 peak, TFLOP/s")
    parser.add_argument("--low", type=float, default=0.2, help="share of the peak, at least")
    parser.add_argument("--high", type=float, default=0.4, help="share of the peak, at most")
    asked = parser.parse_args()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "timm", "diffusers"))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {versions}; {asked.low:.0%} to {asked.high:.0%} of {asked.peak:g} TFLOP/s\n")
    todo, total = work(), 0.0
    print("| work | how often | GFLOP each | PFLOP | GPU hours |\n|---|---|---|---|---|")
    for name, count, each in todo:
        total += count * each
        print(f"| {name} | {count:,} | {each / 1e9:,.1f} | {count * each / 1e15:,.0f} | {hours(count * each, asked)} |")
    print(f"| all | | | {total / 1e15:,.0f} | {hours(total, asked)} |")


def hours(operations: float, asked: argparse.Namespace) -> str:
    """Return the range of hours that so many operations take."""
    low, high = (operations / (share * asked.peak * 1e12) / 3600 for share in (asked.high, asked.low))
    return f"{low:,.2f} to {high:,.2f}"


def work() -> list[tuple[str, int, float]]:
    """Return (what, how often, floating-point operations each) of everything that the benchmark computes."""
    benchmark = load_benchmark("dfeat-patchdrop")
    rule, seeds = benchmark.train, len(benchmark.seeds)
    shown = sum(_TRAIN * (2 if arm.twin_family else 1) for arm in benchmark.arms.values())
    columns = 1 + sum(len(family.conditions) for family in benchmark.test_recipe().build_occlusions())
    scored = _TEST * columns * len(benchmark.arms) * seeds
    torch.set_default_device("meta")
    found = []
    for name in benchmark.backbones:
        model = timm.create_model(name.removeprefix("timm/"), pretrained=False).eval()
        each = counted(lambda model=model: model(torch.empty(1, 3, 224, 224)))
        found.append((f"train {name}", shown * rule.epochs * seeds, 3 * each))
        found.append((f"score {name}", scored, each))
    options = benchmark.arms["sd_inpaint"].twin_family
    steps = Inpaint(**({} if options is None else options.options)).steps
    painter, encoder = UNet2DConditionModel(in_channels=9, **_UNET), AutoencoderKL(**_VAE)
    pixels, latents = torch.empty(1, 3, 512, 512), torch.empty(1, 4, 64, 64)
    encode = counted(lambda: encoder.encode(pixels))
    decode = counted(lambda: encoder.decode(latents))
    # guidance asks twice at every step; the pipeline encodes the image once, masked
    unet = counted(lambda: denoise(painter, 9))
    paint = 2 * steps * unet + encode + decode
    print(
        f"TFLOP of a pass of the U-Net {unet / 1e12:.3f}, encoding {encode / 1e12:.3f}, decoding {decode / 1e12:.3f}\n"
    )
    found.append((f"inpaint, {steps} steps with guidance", _TRAIN, paint))
    featured = UNet2DConditionModel(in_channels=4, **_UNET)
    featured.up_blocks = featured.up_blocks[:_UP_BLOCKS_TO_UP1]
    del featured.conv_norm_out, featured.conv_out
    featured.conv_norm_out, featured.conv_out = None, torch.nn.Identity()
    views = rule.cached_views * 2 * _TRAIN + columns * _TEST
    found.append(("features up to up1", views, counted(lambda: denoise(featured, 4)) + encode))
    return found


def denoise(unet: UNet2DConditionModel, channels: int) -> object:
    return unet(torch.empty(1, channels, 64, 64), torch.zeros(1), torch.empty(1, 77, 1024))


@torch.no_grad()
def counted(call: Callable[[], object]) -> float:
    """Return the floating-point operations of a call."""
    counter = FlopCounterMode(display=False)
    with counter:
        call()
    return float(counter.get_total_flops())


if __name__ == "__main__":
    main()
