"""A bank of masks hides what its masks hide and nothing else, anew for every image and epoch."""

import numpy as np
import pytest
import torch
from PIL import Image

from occbench.bench.batches.mask_bank import MaskBank
from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.protocol.cell import cells
from occbench.bench.training.training_run import Training, generator
from occbench.bench.training.untrained import untrained
from occbench.core.errors import ConfigError
from occbench.core.types import Overlay, empty_overlay
from occbench.data.render import Renderer
from occbench.occlusions.irregular import Irregular
from occbench.occlusions.parts import PartBlackout
from occbench.occlusions.patch_drop import PatchDrop
from occbench.occlusions.patterns import Patterns

CPU = torch.device("cpu")


@pytest.fixture
def images(tiny_materials):
    return tiny_materials().train


@pytest.fixture
def bank(images):
    """Return a function that makes a bank of families' conditions."""

    def make(*families, size=6):
        renderer = Renderer(families, 0)
        return MaskBank(images, renderer, renderer.conditions, size, CPU)

    return make


def pixels(count, value=200.0):
    return torch.full((count, 3, 32, 32), value)


def hidden(made, value=200.0):
    """Return the share of each image that is hidden."""
    return (made != value).any(1).float().mean((1, 2))


def test_holes_have_the_asked_share_and_are_black(bank):
    made = bank(Irregular(bins=(("high", 0.5, 0.6),)), size=20).lay(pixels(64), generator(0, "test"))
    share = hidden(made)
    assert share.min() > 0.5
    assert share.max() <= 0.6
    assert set(made.unique().tolist()) == {0.0, 200.0}


def test_every_image_has_a_mask_of_its_own_and_every_call_others(bank):
    one, draws = bank(Irregular(), size=50), generator(0, "test")
    first, second = (one.lay(pixels(16), draws) for _ in range(2))
    assert len({image.numpy().tobytes() for image in first}) > 12
    assert not torch.equal(first, second)
    assert torch.equal(one.lay(pixels(16), generator(0, "test")), first)


def test_an_empty_mask_leaves_the_image_as_it_is(bank, monkeypatch):
    """METHODS 8 item 10, and the mistake of 4.3: the largest value minus the mask would hide everything."""
    monkeypatch.setattr(Irregular, "overlay", lambda *_: empty_overlay())
    images = torch.rand(5, 3, 32, 32) * 255
    assert torch.equal(bank(Irregular()).lay(images, generator(0, "test")), images)


def test_pixels_beside_a_hole_are_bit_equal(bank):
    images = torch.rand(32, 3, 32, 32) * 254 + 1
    made = bank(Irregular(), PatchDrop(losses=(0.5,), patch_px=8)).lay(images, generator(0, "test"))
    hole = (made == 0).all(1, keepdim=True).expand_as(made)
    assert torch.equal(made[~hole], images[~hole])
    assert 0.1 < hole.float().mean() < 0.5


def test_every_condition_is_as_likely(bank):
    made = bank(Irregular(bins=(("low", 0.01, 0.1), ("high", 0.5, 0.6))), size=9).lay(
        pixels(2000), generator(0, "test")
    )
    assert (hidden(made) > 0.3).float().mean() == pytest.approx(0.5, abs=0.05)


def test_occluders_with_soft_edges_are_blended(bank, tiny_bank):
    family = Patterns(bank=str(tiny_bank), ratios=(0.2,), random_positions=0)
    one = bank(family)
    assert one.alpha.shape == (2, 1, 32, 32)  # all images share a pattern: one of each is enough
    made = one.lay(pixels(40, 100.0), generator(1, "test"))
    for image in made:
        expected = [
            100 * (1 - alpha / 255) + paint * (alpha / 255)
            for alpha, paint in zip(one.alpha.float(), one.paint.float(), strict=True)
        ]
        assert any(torch.allclose(image, other, atol=1e-3) for other in expected)


def test_masks_are_drawn_from_a_folder_of_files(bank, tmp_path):
    for number, rows in enumerate((8, 16)):
        mask = np.zeros((32, 32), dtype=np.uint8)
        mask[:rows] = 255
        Image.fromarray(mask).save(tmp_path / f"{number}.png")
    family = Irregular(bins=(("some", 0.1, 0.6),), mask_folder=str(tmp_path))
    share = hidden(bank(family, size=30).lay(pixels(60), generator(0, "test")))
    assert set(share.tolist()) == {0.25, 0.5}


def test_the_real_mask_files_make_a_bank(images, real_data):
    family = Irregular(bins=(("some", 0.0, 0.9),), mask_folder=str(real_data / "irregular_masks"))
    renderer = Renderer([family], 0)
    made = MaskBank(images, renderer, renderer.conditions, 300, CPU)
    assert len({mask.numpy().tobytes() for mask in made.alpha}) == 16


def test_occlusions_that_need_the_image_are_refused_in_one_line(bank):
    with pytest.raises(ConfigError, match="needs to know the image"):
        bank(PartBlackout())


def test_masks_do_not_follow_the_geometry_of_the_batch(tiny_benchmark, tiny_materials, monkeypatch):
    """METHODS 4.3: a mask is drawn independently of the image's crop and flip."""
    half = np.zeros((32, 16, 4), dtype=np.uint8)
    half[..., 3] = 255
    monkeypatch.setattr(Irregular, "overlay", lambda *_: Overlay(half, 0, 0, 0.5))
    materials = tiny_materials(pair_occlusions=[{"name": "irregular", "bins": [["high", 0.5, 0.6]]}])
    cell = next(cells(materials.benchmark, {}, "images"))
    pipeline = untrained(cell, materials, CPU)
    run = Training(pipeline, materials, cell.arm, ActivationCache(0), 0)

    class Turned:
        names = None
        rows = (0, 1)

        def pixels(self):
            return pixels(2).flip(3)

    run.batch = Turned()
    black = pipeline.inputs(torch.zeros(1, 3, 32, 32))[0, :, 0, 0]
    made = run.masked_inputs(3)
    assert (made[:, :, :, :16] == black.view(3, 1, 1)).all()
    assert (made[:, :, :, 16:] != black.view(3, 1, 1)).all()
