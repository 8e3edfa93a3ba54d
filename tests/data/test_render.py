"""Rendering and encoding: the same rows however they are asked for, shared work shared."""

import numpy as np
import pytest

from occbench.core.compose import composite
from occbench.core.errors import ConfigError
from occbench.core.seeding import stream
from occbench.core.types import Example
from occbench.data.encode import decode, encode_jpeg
from occbench.data.encode_rows import RowEncoder, encoding_of
from occbench.data.recipe import Storage, parse_recipe
from occbench.data.render import Renderer


def example(key, side=48):
    pixels = stream(0, key).integers(256, side * side * 3).reshape(side, side, 3).astype(np.uint8)
    return Example(key=key, image=pixels, labels=(1,))


@pytest.fixture
def renderer(tiny_content):
    """Two families: one that images share, one that depends on the image."""
    content = tiny_content()
    content["occlusions"].append({"name": "patch_drop", "patch_px": 8})
    return Renderer(parse_recipe(content, "x").build_occlusions(), seed=5)


def test_a_sample_is_its_overlay_on_the_image(renderer):
    clean = example("a")
    samples = list(renderer.samples(clean))
    assert [sample.condition for sample in samples] == [condition.name for condition in renderer.conditions]
    for sample, condition in zip(samples, renderer.conditions, strict=True):
        image, overlay = renderer.render(clean, condition)
        assert np.array_equal(sample.image, image)
        assert np.array_equal(sample.image, composite(clean.image, overlay))
        full = renderer.full_overlay(clean, condition)
        assert np.array_equal(sample.image[full[..., 3] == 0], clean.image[full[..., 3] == 0])
        assert sample.achieved == overlay.achieved == pytest.approx(full[..., 3].sum() / 255 / 48**2)


def test_samples_do_not_share_memory(renderer):
    samples = list(renderer.samples(example("a")))
    kept = [sample.image.copy() for sample in samples]
    list(renderer.samples(example("b")))
    assert all(np.array_equal(sample.image, image) for sample, image in zip(samples, kept, strict=True))


def test_shared_overlays_are_made_once_per_size(renderer):
    for condition in renderer.conditions:
        one, other = (renderer.overlay(example(key), condition) for key in "ab")
        assert (one is other) == (not renderer.per_image(condition))
        larger = renderer.overlay(example("a", 64), condition)
        assert larger.overlay.rgba.shape[0] > one.overlay.rgba.shape[0] or renderer.per_image(condition)


def test_an_unknown_condition_is_named(renderer):
    assert renderer.condition("bar_10_c").group == "10c"
    with pytest.raises(ConfigError, match=r"no condition 'bar'.*bar_10_c, bar_10_r1, bar_20_c"):
        renderer.condition("bar")


@pytest.mark.parametrize("storage", [{}, {"occluded": "jpeg", "jpeg_quality": 80}], ids=["png", "jpeg"])
def test_encoded_rows_are_the_rendered_rows(renderer, storage):
    encoder = RowEncoder(renderer, encoding_of(Storage(layout="materialised", **storage)))
    for clean in (example("a"), example("b"), example("c", 50)):
        rows = list(encoder.encode(clean))
        assert [condition.name for condition, _, _ in rows] == [item.name for item in renderer.conditions]
        for (_, _, data), sample in zip(rows, renderer.samples(clean), strict=True):
            if storage:
                assert data == encode_jpeg(sample.image, 80)
            else:
                assert np.array_equal(decode(data), sample.image)


def test_overlays_alone_are_those_of_the_rows(renderer):
    encoder = RowEncoder(renderer, encoding_of(Storage()))
    alone = list(encoder.overlays(example("a")))
    for (condition, overlay), (same, expected, _) in zip(alone, encoder.encode(example("a")), strict=True):
        assert condition is same
        assert overlay.achieved == expected.achieved
        assert np.array_equal(overlay.rgba, expected.rgba)
