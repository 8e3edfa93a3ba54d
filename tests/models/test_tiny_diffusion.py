"""The tiny pipeline is small, made of the real classes, and the same for the same seed."""

import torch
from diffusers import AutoPipelineForInpainting, StableDiffusionInpaintPipeline

from occbench.core.pipelines import find_pipeline, quiet_diffusers
from occbench.models.tiny_diffusion import TinyDiffusion


def weights(pipeline):
    parts = (pipeline.vae, pipeline.unet, pipeline.text_encoder)
    return torch.cat([weight.flatten() for part in parts for weight in part.state_dict().values()])


def test_the_seed_decides_the_weights_and_the_global_generator_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    one, same, other = (weights(TinyDiffusion().build(seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_it_is_loaded_as_any_inpainting_pipeline_is(tiny_pipeline):
    with quiet_diffusers():
        pipeline = AutoPipelineForInpainting.from_pretrained(tiny_pipeline)
    assert type(pipeline) is StableDiffusionInpaintPipeline
    assert pipeline.unet.config.in_channels == 9
    assert torch.equal(weights(pipeline), weights(TinyDiffusion().build()))
    assert sum(file.stat().st_size for file in tiny_pipeline.rglob("*") if file.is_file()) < 5 * 2**20
    assert find_pipeline(str(tiny_pipeline)).revision.startswith("sha256:")


def test_prompts_are_read_letter_by_letter(tiny_pipeline):
    tokenizer = TinyDiffusion().build().tokenizer
    one, other = (tokenizer(f"A class of {name}", padding="max_length").input_ids for name in ("car", "cat"))
    assert len(one) == len(other) == 77
    assert [place for place in range(77) if one[place] != other[place]] == [11]
    assert tokenizer("").input_ids == [tokenizer.bos_token_id, tokenizer.eos_token_id]


def test_sizes_follow_the_options():
    small = TinyDiffusion(size_px=32, vae_widths=(8, 8), unet_widths=(8, 16), attention=(False, True))
    pipeline = small.build()
    assert small.latent_px == pipeline.unet.config.sample_size == 16
    assert pipeline.vae_scale_factor == 2
