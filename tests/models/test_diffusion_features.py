"""Diffusion features: the network stops early, sees the occlusion, and gives the same vector whenever it is asked."""

import json
import shutil

import numpy as np
import pytest
import torch

from occbench.core.errors import ConfigError
from occbench.core.networks import Extractor
from occbench.core.pipelines import find_pipeline
from occbench.core.plugins import find_plugin
from occbench.models import diffusion_features
from occbench.models.diffusion_features import DiffusionFeatures

BLOCKS = {"mid": 32, "up0": 32, "up1": 32, "up2": 32, "up3": 16}
NAMES = ("a", "b", "c")


@pytest.fixture
def make(tiny_pipeline):
    """Return a function that makes the extractor with the tiny pipeline."""
    return lambda **options: DiffusionFeatures(**{"model": str(tiny_pipeline), "dtype": "fp32", **options})


@pytest.fixture
def network(make):
    """The loaded parts of the tiny pipeline."""
    return diffusion_features._load(find_pipeline(make().model), "fp32", torch.device("cpu"))


@pytest.fixture
def pixels():
    return torch.rand(3, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 255


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_gives_a_vector_of_its_width(make, pixels, block):
    extractor = make(block=block)
    vectors = extractor.vectors(pixels, NAMES)
    assert extractor.dim == BLOCKS[block]
    assert vectors.shape == (3, BLOCKS[block])
    assert vectors.dtype == torch.float32
    assert not vectors.requires_grad
    assert vectors.std() > 0.01


@pytest.mark.parametrize("block", ["mid", "up1"])
def test_stopping_early_gives_what_the_whole_pass_has_there(network, block):
    generator = torch.Generator().manual_seed(0)
    latents, noise = (torch.randn(2, 4, 8, 8, generator=generator) for _ in range(2))
    unet = network._unet
    seen = {}
    layers = {"mid": unet.mid_block, "up1": unet.up_blocks[1], "up2": unet.up_blocks[2]}
    hooks = [
        layer.register_forward_hook(lambda _, __, output, name=name: seen.update({name: output}))
        for name, layer in layers.items()
    ]
    try:
        with torch.no_grad():
            stopped = network.features(latents, noise, 25, block)
            after = set(seen)
            signal = float(network._signal[25])
            noisy = signal**0.5 * latents + (1 - signal) ** 0.5 * noise
            whole = torch.cat([noisy, torch.zeros(2, 1, 8, 8), latents], 1)
            unet(whole, 25, encoder_hidden_states=network._prompt.expand(2, -1, -1))
    finally:
        for hook in hooks:
            hook.remove()
    assert torch.equal(stopped, seen[block])
    assert "up2" not in after, "what lies behind the block is not computed"
    assert set(seen) == set(layers)


def test_an_error_inside_the_network_is_not_taken_for_its_end(network):
    with pytest.raises(RuntimeError), torch.no_grad():
        network.features(torch.zeros(1, 5, 8, 8), torch.zeros(1, 5, 8, 8), 25, "up1")
    assert not network._unet.up_blocks[1]._forward_hooks


def test_the_same_image_has_the_same_vector_whenever_it_is_asked_for(make, pixels):
    first = make().vectors(pixels, NAMES)
    diffusion_features._load.cache_clear()
    assert torch.equal(make().vectors(pixels, NAMES), first)
    order = torch.tensor([2, 0, 1])
    moved = make().vectors(pixels[order], [NAMES[place] for place in order])
    alone = torch.cat([make().vectors(pixels[place : place + 1], NAMES[place : place + 1]) for place in range(3)])
    in_twos = make(batch_size=2).vectors(pixels, NAMES)
    for other in (moved[order.argsort()], alone, in_twos):
        assert torch.allclose(other, first, atol=1e-5, rtol=1e-5)


def test_kept_vectors_are_those_computed_again(make, pixels, tiny_pipeline):
    from occbench.bench.batches.batch import ImageBatch
    from occbench.bench.batches.pipeline import ActivationCache
    from occbench.bench.batches.side import side_vectors

    options = {"model": str(tiny_pipeline), "dtype": "fp32"}
    batch = ImageBatch(lambda: pixels, lambda: pixels[:, :1], NAMES)
    cache = ActivationCache()
    computed = side_vectors("diffusion_features", options, batch, cache)
    kept = side_vectors("diffusion_features", options, batch, cache)
    again = side_vectors("diffusion_features", options, batch, ActivationCache())
    assert torch.equal(kept, computed)
    assert torch.equal(again, computed)
    assert torch.equal(computed, make().vectors(pixels, NAMES).half().float())


def test_the_network_sees_the_occlusion(make, network, pixels, monkeypatch):
    shown = []
    monkeypatch.setattr(type(network), "latents", lambda self, images: shown.append(images) or real(self, images))
    masked = pixels.clone()
    masked[:, :, 10:30, 10:30] = 0
    vectors = make().vectors(masked, NAMES)
    assert not torch.allclose(vectors, make().vectors(pixels, NAMES))
    black = shown[0][:, :, 15:38, 15:38]  # 48 px made 64: rows 13.3 to 40
    assert torch.equal(black, torch.full_like(black, -1.0))
    assert shown[0].shape[2:] == (64, 64)


real = diffusion_features._Network.latents


def test_noise_is_that_of_the_name_and_the_seed(make, pixels):
    same = pixels[:1].expand(2, -1, -1, -1)
    one, other = make(timestep=500).vectors(same, ["a", "b"])
    assert not torch.allclose(one, other)
    assert not torch.allclose(make(timestep=500, seed=1).vectors(same, ["a", "b"])[0], one)


def test_noise_is_standard_normal():
    noise = diffusion_features._noise(0, "a", (4, 64, 65))
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 4 / noise.size**0.5
    assert abs(noise.std() - 1) < 0.02
    assert abs((np.abs(noise) < 1).mean() - 0.6827) < 0.02


@pytest.mark.parametrize(("dtype", "least", "most"), [("fp16", 0, 0.01), ("bf16", 0, 0.05)])
def test_half_precision_is_near(make, pixels, dtype, least, most):
    off = (make(dtype=dtype).vectors(pixels, NAMES) - make().vectors(pixels, NAMES)).abs().max()
    assert least < off < most


def test_bytes_and_floats_are_the_same_image(make, pixels):
    whole = pixels.round()
    assert torch.equal(make().vectors(whole.to(torch.uint8), NAMES), make().vectors(whole, NAMES))


def test_a_network_that_is_not_for_inpainting_takes_noisy_latents_alone(tmp_path, make, pixels, tiny_pipeline):
    from diffusers import UNet2DConditionModel

    folder = shutil.copytree(tiny_pipeline, tmp_path / "plain")
    config = json.loads((folder / "unet/config.json").read_text())
    UNet2DConditionModel.from_config({**config, "in_channels": 4}).save_pretrained(folder / "unet")
    assert make(model=str(folder)).vectors(pixels, NAMES).shape == (3, 32)


def test_no_image_is_no_vector(make):
    assert make().vectors(torch.empty(0, 3, 48, 48), []).shape == (0, 32)


def test_what_the_model_does_not_have_is_told(make, pixels, tmp_path, tiny_pipeline):
    with pytest.raises(ConfigError, match="has the decoder blocks up0 to up3, asked for up4"):
        make(block="up4").vectors(pixels, NAMES)
    with pytest.raises(ConfigError, match=r"stable-diffusion-2-1-base is not on this machine.*hf download"):
        _ = DiffusionFeatures().dim
    folder = shutil.copytree(tiny_pipeline, tmp_path / "copy")
    (folder / "vae/diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ConfigError, match="cannot be loaded for diffusion features"):
        make(model=str(folder)).vectors(pixels, NAMES)
    with pytest.raises(ValueError, match="one name for each image, found 2 for 3"):
        make().vectors(pixels, NAMES[:2])


def test_the_method_finds_it_by_its_name():
    assert find_plugin("extractors", "diffusion_features", Extractor) is DiffusionFeatures
