"""Occlusion as augmentation: same kind in and out, torch's own randomness, nothing guessed."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from occbench.core.errors import ConfigError, PluginError
from occbench.data.transform import RandomOcclusion

GREY = torch.full((3, 40, 50), 127, dtype=torch.uint8)


@pytest.fixture
def occlude(tiny_bank):
    return lambda p: RandomOcclusion("patterns", p=p, bank=str(tiny_bank))


def test_a_pil_image_stays_one(occlude):
    picture = Image.new("RGB", (50, 40), (9, 9, 9))
    out = occlude(1.0)(picture)
    assert isinstance(out, Image.Image)
    assert out.size == picture.size
    assert np.asarray(out).max() > 9
    assert np.asarray(picture).max() == 9, "the input is left alone"


@pytest.mark.parametrize("shape", [(3, 40, 50), (1, 3, 40, 50), (5, 3, 40, 50)])
def test_a_tensor_keeps_shape_and_type(occlude, shape):
    image = GREY.expand(shape).clone()
    out = occlude(1.0)(image)
    assert out.shape == image.shape
    assert out.dtype == torch.uint8
    assert torch.equal(image, GREY.expand(shape))


def test_never_and_always(occlude):
    batch = GREY.expand(20, 3, 40, 50)
    assert torch.equal(occlude(0.0)(batch), batch)
    assert (occlude(1.0)(batch) != batch).flatten(1).any(1).all()


def test_half_the_time(occlude):
    torch.manual_seed(0)
    batch = GREY.expand(200, 3, 40, 50)
    changed = (occlude(0.5)(batch) != batch).flatten(1).any(1).sum().item()
    assert 70 <= changed <= 130  # 4 standard deviations


def test_torchs_seed_decides(occlude):
    def draw(seed):
        torch.manual_seed(seed)
        return occlude(1.0)(GREY.expand(6, 3, 40, 50))

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_images_of_a_batch_draw_for_themselves(occlude):
    torch.manual_seed(0)
    out = occlude(1.0)(GREY.expand(8, 3, 40, 50))
    assert len({image.numpy().tobytes() for image in out}) > 2


def test_families_that_depend_on_the_image_draw_anew():
    torch.manual_seed(0)
    drop = RandomOcclusion("patch_drop", p=1.0, losses=[0.5], patch_px=10)
    out = drop(GREY.expand(4, 3, 40, 50))
    assert len({image.numpy().tobytes() for image in out}) == 4


def test_it_works_inside_a_pipeline(occlude):
    pipeline = v2.Compose([v2.Resize((32, 32)), occlude(1.0), v2.ToDtype(torch.float32, scale=True)])
    out = pipeline(GREY)
    assert out.shape == (3, 32, 32)
    assert out.dtype == torch.float32
    assert out.unique().numel() > 1


def test_it_travels_to_worker_processes(occlude):
    copy = pickle.loads(pickle.dumps(occlude(1.0)))
    torch.manual_seed(3)
    one = copy(GREY)
    torch.manual_seed(3)
    assert torch.equal(one, occlude(1.0)(GREY))


@pytest.mark.parametrize(
    "image",
    [GREY.float(), GREY[:1], GREY[0], GREY.to(torch.int16), np.zeros((40, 50, 3), np.uint8), None],
    ids=["float", "grey", "2-d", "int16", "numpy", "nothing"],
)
def test_another_kind_of_image_is_refused(occlude, image):
    with pytest.raises(ConfigError, match="RandomOcclusion needs"):
        occlude(1.0)(image)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_an_impossible_probability_is_refused(occlude, p):
    with pytest.raises(ConfigError, match="probability p from 0 to 1"):
        occlude(p)


def test_wrong_families_and_options_are_refused():
    with pytest.raises(PluginError, match="Did you mean patterns"):
        RandomOcclusion("pattern")
    with pytest.raises(ConfigError, match="patterns has no option banks"):
        RandomOcclusion("patterns", banks="occbench-3")
