"""The trained pipeline is an ordinary inpainting pipeline, the same for the same seed; what it learns from is right."""

import logging

import numpy as np
import pytest
import torch

from occbench.core.types import Example
from occbench.models import train_tiny_inpainter as trainer
from occbench.models.train_tiny_inpainter import SIZES, Rule, main, train
from occbench.occlusions.inpaint import Inpaint
from occbench.sources.toyparts import ToyParts

QUICK = Rule(steps=1, batch_size=2, masks_per_image=1)


@pytest.fixture(scope="module")
def toys():
    source = ToyParts(images_per_class=1, size_px=64, split="train")
    return [source[index] for index in range(len(source))], source.classes


def weights(pipeline):
    return torch.cat([weight.flatten() for weight in pipeline.unet.state_dict().values()])


def test_the_same_seed_trains_the_same_network(toys):
    one, same = (weights(train(*toys, QUICK, seed=3)) for _ in range(2))
    assert torch.equal(one, same)
    assert not torch.equal(one, weights(SIZES.build(3))), "it was trained"


@pytest.mark.slow
def test_it_learns(toys, caplog):
    with caplog.at_level(logging.INFO):
        train(*toys, Rule(steps=50, batch_size=8, masks_per_image=1, lr=4e-3))
    assert float(caplog.messages[-1].split("loss ")[1].split(",")[0]) < 0.8, "a network that says nothing is at 1"


def test_the_autoencoder_gives_the_pixels_back():
    vae = SIZES.build().vae
    pixels = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    pixels[1] = 1.0
    with torch.no_grad():
        latents = vae.encode(pixels).latent_dist
        restored = vae.decode(latents.mode()).sample
    assert (restored - pixels).abs().max() < 1e-3
    assert (latents.mode()[:, :3] - pixels).abs().max() < 1e-3
    assert latents.std.max() < 1e-3


def test_what_is_hidden_is_not_shown(toys):
    examples, _ = toys
    data = trainer._prepared(SIZES.build(), examples, torch.Generator().manual_seed(0))
    hidden = (data.masks == 1).expand_as(data.whole)
    assert 0.05 < data.masks.mean() < 0.8
    assert data.masked[hidden].abs().max() < 1e-3
    assert (data.masked - data.whole)[~hidden].abs().max() < 1e-3
    assert data.labels.tolist() == list(range(12))


def test_masks_are_some_of_the_parts_or_a_rectangle():
    parts = [np.zeros((8, 8), dtype=np.bool_) for _ in range(3)]
    for number, part in enumerate(parts):
        part[number * 2, number:] = True
    draws = torch.Generator().manual_seed(0)
    masks = [trainer._mask(parts, draws) for _ in range(60)]
    unions = {tuple(bool(mask[2 * number, 7]) for number in range(3)) for mask in masks if is_union(mask, parts)}
    assert {len([on for on in union if on]) for union in unions} == {1, 2}
    assert 5 < sum(not is_union(mask, parts) for mask in masks) < 30


def is_union(mask, parts):
    chosen = [part for part in parts if mask[part].all()]
    return bool(chosen) and np.array_equal(mask, np.logical_or.reduce(chosen))


def test_the_command_writes_a_pipeline_that_inpaints(tmp_path, toys):
    main(["--out", str(tmp_path / "toy"), "--images-per-class", "1", "--steps", "1"])
    family = Inpaint(model=str(tmp_path / "toy"), steps=2, size_px=32, dtype="fp32", dilation_px=1)
    examples, names = toys
    example = Example("a", examples[0].image, (0,), parts=examples[0].parts, class_names=(names[0],))
    overlay = family.overlay(example, family.conditions[0], 0)
    assert overlay.achieved == family.hidden(example, family.conditions[0], 0).mean()
