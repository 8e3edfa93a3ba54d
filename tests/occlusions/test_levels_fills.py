"""Fillings: noise is uniform, textures differ from image to image, crops are crops; all from the stream alone."""

import hashlib

import numpy as np
import pytest

from occbench.core.seeding import stream
from occbench.occlusions.levels_fills import crop_texture, draw_noise, draw_texture


def test_noise_is_uniform_and_every_pixel_its_own():
    noise = draw_noise(stream(1, "noise"), 101, 99)
    assert noise.shape == (101, 99, 3)
    counts = np.bincount(noise.ravel(), minlength=256)
    assert np.abs(counts - noise.size / 256).max() < 6 * np.sqrt(noise.size / 256)
    flat = noise.reshape(-1, 3).astype(float)
    assert abs(np.corrcoef(flat[1:, 0], flat[:-1, 0])[0, 1]) < 0.05
    assert abs(np.corrcoef(flat[:, 0], flat[:, 1])[0, 1]) < 0.05


@pytest.mark.parametrize("shape", [(1, 1), (7, 200), (224, 224), (500, 300)])
def test_textures_fill_any_box(shape):
    texture = draw_texture(stream(2, "texture"), *shape, image_px=224)
    assert texture.shape == (*shape, 3)
    assert texture.dtype == np.uint8


def test_textures_are_many_and_neither_flat_nor_noise():
    made = [draw_texture(stream(seed, "texture"), 96, 96, image_px=224).astype(float) for seed in range(24)]
    assert len({texture.tobytes() for texture in made}) == len(made)
    for texture in made:
        assert texture.std() > 5
        near = np.abs(np.diff(texture, axis=1)).mean()
        apart = np.abs(texture - texture[::-1, ::-1].transpose(1, 0, 2)).mean()
        assert near < 40
        assert near < 2 * apart


def test_features_grow_with_the_image():
    def roughness(image_px, side):
        return np.mean([
            np.abs(np.diff(draw_texture(stream(seed, "t"), side, side, image_px).astype(float), axis=1)).mean()
            for seed in range(12)
        ])  # fmt: skip

    assert roughness(896, 300) < roughness(224, 300)


def test_drawn_pixels_are_pinned():
    """A change here means raising ``Levels.version``."""
    digest = hashlib.sha256()
    for seed in range(8):
        digest.update(draw_texture(stream(seed, "texture"), 60, 80, image_px=224).tobytes())
        digest.update(draw_noise(stream(seed, "noise"), 13, 7).tobytes())
    assert digest.hexdigest()[:16] == "9a71a79ef6bebdc0"


def test_a_crop_is_a_crop_and_small_photographs_go_on_as_in_a_mirror():
    photograph = np.arange(20 * 30 * 3, dtype=np.int64).reshape(20, 30, 3)
    crop = crop_texture(photograph, stream(0, "crop"), 8, 9)
    row, column = np.argwhere((photograph == crop[0, 0]).all(axis=2))[0]
    assert np.array_equal(crop, photograph[row : row + 8, column : column + 9])
    large = crop_texture(photograph, stream(0, "crop"), 70, 100)
    assert large.shape == (70, 100, 3)
    steps = np.abs(np.diff(large[..., 0], axis=1))
    assert set(np.unique(steps)) == {0, 3}, "the next pixel, or the same where it turns round"
