"""Images in memory and their occluded twins.

Covers two of the typical mistakes of METHODS 2.8: 7 (positions drawn anew for every image) and 8 (an overlay put on
before the resize, augmentation of what is paired).
"""

import numpy as np
import pytest
import torch

from occbench.bench.images.images import ImageSet, batches, load_images, render_batch
from occbench.bench.images.pixel_store import PixelStore
from occbench.core.compose import composite
from occbench.core.errors import BrokenImageError, ConfigError
from occbench.core.prepare import Prepare, prepare
from occbench.core.types import CLEAN
from occbench.data.render import Renderer
from occbench.occlusions.patch_drop import PatchDrop
from occbench.occlusions.patterns import Patterns
from occbench.sources.toyparts import ToyParts

RULE = Prepare(rule="direct", size_px=32)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def source():
    return ToyParts(images_per_class=1, size_px=48)


@pytest.fixture(scope="module")
def images(source):
    return load_images(source, [3, 0, 7], RULE, {0: 1, 7: 0})


@pytest.fixture(scope="module", params=[Patterns(ratios=(0.2,)), PatchDrop()], ids=["shared", "per image"])
def renderer(request):
    return Renderer([request.param], 5)


def test_images_stand_in_the_order_asked_for_after_the_resize_rule(source, images):
    assert images.images.shape == (3, 3, 32, 32)
    assert images.images[:].dtype == torch.uint8
    assert images.images[:].is_contiguous(memory_format=torch.channels_last)
    for place, index in enumerate([3, 0, 7]):
        expected = prepare(source[index], RULE)
        assert images.keys[place] == expected.key
        assert np.array_equal(images.images.image(place), expected.image)


def test_labels_are_the_heads_and_minus_one_where_it_has_none(source, images):
    """Mistake 11: label maps that differ."""
    assert [source.labels_of(index)[0] for index in (3, 0, 7)] == [3, 0, 7]
    assert images.labels.tolist() == [-1, 1, 0]


def test_examples_do_not_hold_a_second_copy_of_the_pixels(images):
    pixels = images.images[:].numpy()
    assert all(np.shares_memory(example.image, pixels) for example in images.examples)


def test_no_indices_give_an_empty_set(source):
    nothing = load_images(source, [], RULE, {})
    assert len(nothing) == 0
    assert nothing.images.shape == (0, 3, 32, 32)
    assert nothing.labels.dtype == torch.int64
    assert nothing.keys == ()


def test_a_broken_image_is_not_left_out_silently(tmp_path, tiny_images):
    import shutil

    from occbench.sources.image_folder import ImageFolder

    folder = shutil.copytree(tiny_images, tmp_path / "images")
    next(iter(sorted(folder.rglob("*.png")))).write_bytes(b"not a picture")
    broken = ImageFolder(str(folder))
    images = load_images(broken, range(len(broken)), RULE, {})
    assert len(images) == 12, "keys and labels are known before anything is decoded"
    with pytest.raises(BrokenImageError, match=r"apple/1\.png"):
        images.images[:1]


def test_images_of_different_sizes_are_one_clear_line(tiny_images):
    from occbench.sources.image_folder import ImageFolder

    folder = ImageFolder(str(tiny_images))
    with pytest.raises(ConfigError, match=r"images of one size are needed: .* px. Set prepare\.rule"):
        load_images(folder, range(len(folder)), Prepare(rule="none"), {}).images[:]


def test_one_thread_and_several_decode_the_same(source):
    one, three = PixelStore(), PixelStore()
    one.threads, three.threads = 1, 3
    sets = [load_images(source, range(12), RULE, {}, store) for store in (one, three)]
    assert torch.equal(sets[0].images[:], sets[1].images[:])


def test_joined_sets_are_one_after_the_other_without_a_copy(source, images):
    other = load_images(source, [5, 1], RULE, {5: 2})
    both = images.joined(other)
    assert both.keys == images.keys + other.keys == tuple(example.key for example in both.examples)
    assert both.labels.tolist() == [-1, 1, 0, 2, -1]
    assert torch.equal(both.images[:], torch.cat([images.images[:], other.images[:]]))
    assert torch.equal(both.images[torch.tensor([4, 0, 3, 0])], both.images[:][[4, 0, 3, 0]])
    for row, example in enumerate(both.examples):
        mine, within = (images, row) if row < 3 else (other, row - 3)
        assert np.shares_memory(example.image, mine.images.image(within))


def test_a_set_of_finished_examples_keeps_them(images):
    again = ImageSet.of(iter(images.examples), images.labels)
    assert again.keys == images.keys
    assert torch.equal(again.images[:], images.images[:])
    assert all(np.shares_memory(example.image, again.images[:].numpy()) for example in again.examples)
    assert again.examples[1].class_names == images.examples[1].class_names != ()


def test_a_batch_is_bit_equal_to_images_rendered_one_by_one(images, renderer):
    """Mistake 8: the overlay comes after the resize, on the pixels that the model sees."""
    for condition in renderer.conditions[:8]:
        batch = render_batch(images, slice(0, 3), condition, renderer, CPU)
        for row, example in zip(batch, images.examples, strict=True):
            expected = composite(example.image, renderer.overlay(example, condition))
            assert np.array_equal(row.permute(1, 2, 0).numpy(), expected), condition.name


def test_a_pattern_hides_the_same_pixels_of_every_image(images):
    """Mistake 7: one overlay, with its place, for all images."""
    renderer = Renderer([Patterns(ratios=(0.2,))], 5)
    for condition in renderer.conditions:
        batch = render_batch(images, slice(0, 3), condition, renderer, CPU)
        opaque = torch.from_numpy(renderer.full_overlay(images.examples[0], condition)[..., 3] == 255)
        assert opaque.any()
        assert (batch[:, :, opaque] == batch[:1, :, opaque]).all()


def test_rendering_leaves_the_clean_images_as_they_are(images, renderer):
    before = images.images[:].clone()
    for condition in (CLEAN, *renderer.conditions[:8]):
        batch = render_batch(images, slice(1, 3), condition, renderer, CPU)
        assert batch.shape == (2, 3, 32, 32)
        assert torch.equal(batch, before[1:]) == (condition is CLEAN)
    assert torch.equal(images.images[:], before)


@pytest.mark.parametrize(("count", "size"), [(0, 4), (3, 4), (4, 4), (9, 4)])
def test_batches_cover_every_item_once(count, size):
    found = [list(range(count))[rows] for rows in batches(count, size)]
    assert [item for part in found for item in part] == list(range(count))
    assert all(1 <= len(part) <= size for part in found)
