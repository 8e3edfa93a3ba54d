"""The compositor: every input through both implementations, and what an overlay may touch."""

import itertools

import numpy as np
import pytest
import torch

from occbench.core.compose import Workspace, composite, composite_batch, prepare_overlay
from occbench.core.seeding import stream
from occbench.core.types import Overlay, empty_overlay


def noise(*shape, name="image"):
    return stream(0, name).integers(256, int(np.prod(shape))).astype(np.uint8).reshape(shape)


def full(rgba):
    return Overlay(rgba=rgba, x0=0, y0=0, achieved=float(rgba[..., 3].sum() / 255 / rgba[..., 3].size))


def to_batch(array):
    return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1)[None]


def test_all_inputs_equal_exact_rounding_in_numpy_and_torch():
    values = np.arange(256, dtype=np.uint8)
    image = np.repeat(np.repeat(values[:, None, None], 256, axis=1), 3, axis=2)
    rgba = np.repeat(np.repeat(values[None, :, None], 256, axis=0), 4, axis=2)
    x, o = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    workspace = Workspace()
    for alpha in range(256):
        rgba[..., 3] = alpha
        # round(n / 255) in whole numbers; n / 255 never ends in a half, so there are no ties
        exact = (2 * (alpha * o + (255 - alpha) * x) + 255) // 510
        got = composite(image, full(rgba), workspace=workspace)
        assert (got == exact[..., None]).all(), f"numpy differs at alpha {alpha}"
        batch = composite_batch(to_batch(image), to_batch(rgba))
        assert torch.equal(batch, to_batch(got)), f"torch differs at alpha {alpha}"


def test_alpha_0_returns_the_image_and_alpha_255_the_overlay():
    image, rgba = noise(31, 47, 3), noise(31, 47, 4, name="overlay")
    rgba[..., 3] = 0
    assert np.array_equal(composite(image, full(rgba)), image)
    rgba[..., 3] = 255
    assert np.array_equal(composite(image, full(rgba)), rgba[..., :3])


def test_only_the_box_changes_and_the_input_does_not():
    image, rgba = noise(40, 50, 3), noise(11, 13, 4, name="overlay")
    rgba[..., 3] = np.maximum(rgba[..., 3], 200)
    before = image.copy()
    got = composite(image, Overlay(rgba=rgba, x0=37, y0=29, achieved=0.05))
    assert np.array_equal(image, before)
    outside = np.ones((40, 50), dtype=bool)
    outside[29:40, 37:50] = False
    assert np.array_equal(got[outside], image[outside])
    assert not np.array_equal(got[29:40, 37:50], image[29:40, 37:50])


def test_a_read_only_image_is_accepted():
    image = noise(8, 8, 3)
    image.setflags(write=False)
    assert np.array_equal(composite(image, empty_overlay()), image)


def test_out_workspace_and_prepared_overlay_change_nothing():
    workspace = Workspace()
    for index, (height, width) in enumerate([(30, 40), (5, 7), (64, 64), (30, 40)]):
        image, rgba = noise(70, 80, 3, name=f"image {index}"), noise(height, width, 4, name=f"overlay {index}")
        overlay = Overlay(rgba=rgba, x0=index, y0=2 * index, achieved=0.1)
        plain = composite(image, overlay)
        out = np.full_like(image, 99)
        assert composite(image, prepare_overlay(overlay), out=out, workspace=workspace) is out
        assert np.array_equal(out, plain)


def test_workspace_memory_is_reused():
    workspace = Workspace()
    large, _ = workspace.arrays((20, 20, 3))
    small, carry = workspace.arrays((4, 5, 3))
    assert np.shares_memory(large, small)
    assert not np.shares_memory(small, carry)
    assert small.shape == carry.shape == (4, 5, 3)


@pytest.mark.parametrize(("x0", "y0"), [(45, 0), (0, 35), (60, 60)])
def test_a_box_out_of_the_image_is_an_error_that_names_both(x0, y0):
    overlay = Overlay(rgba=noise(8, 10, 4), x0=x0, y0=y0, achieved=0.1)
    with pytest.raises(ValueError, match=rf"10 x 8 px at {x0}, {y0}.* 50 x 40 px image"):
        composite(noise(40, 50, 3), overlay)


def test_one_overlay_is_put_on_a_whole_batch():
    images = np.stack([noise(9, 12, 3, name=f"image {index}") for index in range(5)])
    rgba = noise(9, 12, 4, name="overlay")
    batch = composite_batch(torch.from_numpy(images).permute(0, 3, 1, 2), to_batch(rgba))
    expected = np.stack([composite(image, full(rgba)) for image in images])
    assert np.array_equal(batch.permute(0, 2, 3, 1).numpy(), expected)


@pytest.mark.parametrize("overlays", [1, 5])
def test_how_a_batch_lies_in_memory_changes_nothing_and_neither_tensor_is_written_to(overlays):
    layouts = torch.contiguous_format, torch.channels_last
    images = np.stack([noise(9, 12, 3, name=f"image {index}") for index in range(5)])
    rgba = np.stack([noise(9, 12, 4, name=f"overlay {index}") for index in range(overlays)])
    expected = np.stack([composite(image, full(rgba[row % overlays])) for row, image in enumerate(images)])
    for of_images, of_overlays in itertools.product(layouts, layouts):
        given = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=of_images)
        put = torch.from_numpy(rgba).permute(0, 3, 1, 2).contiguous(memory_format=of_overlays)
        before = given.clone(), put.clone()
        assert np.array_equal(composite_batch(given, put).permute(0, 2, 3, 1).numpy(), expected)
        assert torch.equal(given, before[0])
        assert torch.equal(put, before[1])


@pytest.mark.parametrize(
    ("images", "rgba"),
    [
        (torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4, 4, dtype=torch.uint8)),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), torch.zeros(1, 4, 4, 5, dtype=torch.uint8)),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), torch.zeros(1, 4, 4, 4, dtype=torch.uint8)),
        (torch.zeros(1, 4, 4, 4, dtype=torch.uint8), torch.zeros(1, 4, 4, 4, dtype=torch.uint8)),
        (torch.zeros(3, 3, 4, 4, dtype=torch.uint8), torch.zeros(2, 4, 4, 4, dtype=torch.uint8)),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), torch.zeros(2, 4, 4, 4, dtype=torch.uint8)),
    ],
)
def test_other_tensors_are_refused(images, rgba):
    with pytest.raises(ValueError, match="composite_batch needs"):
        composite_batch(images, rgba)
