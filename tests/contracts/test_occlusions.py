"""What every occlusion family promises: one table of instances, one list of properties."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch

from occbench.core.canonical import canonical_json
from occbench.core.compose import composite, composite_batch
from occbench.core.interfaces import Occlusion
from occbench.core.plugins import BUILT_IN, find_plugin
from occbench.core.seeding import stream
from occbench.core.types import KEY_PATTERN, Example
from occbench.occlusions.where import hidden_mask

#: instance -> (family, options); a new family adds a line. ``BANK`` stands for a folder of two occluders, ``MODEL`` for
#: that of a tiny inpainting pipeline.
BANK = "<a folder with two occluders>"
MODEL = "<a folder with an inpainting pipeline>"
TINY = {"model": MODEL, "prompt": "a photograph", "steps": 1, "size_px": 64, "dtype": "fp32"}
INSTANCES = {
    "inpaint": ("inpaint", {**TINY, "batch_size": 2}),
    "inpaint, irregular": ("inpaint", {**TINY, "where": {"name": "irregular"}, "dilation_px": 0, "prefix": "again"}),
    "irregular": ("irregular", {}),
    "irregular, filled": ("irregular", {"bins": [["some", 0.2, 0.3]], "fill": [10, 200, 30]}),
    "levels": ("levels", {"bank": BANK}),
    "levels, with the background": (
        "levels",
        {
            "background": [["b1", 0.1, 0.5]],
            "types": ["object", "texture"],
            "clip": False,
            "outline": "box",
            "tries": 5000,
        },
    ),
    "part_blackout": ("part_blackout", {}),
    "part_blackout, all parts": ("part_blackout", {"shares": [0.3, 1], "fill": [9, 9, 9], "dilate_px": 3}),
    "part_replace": ("part_replace", {}),
    "part_replace, dilated": ("part_replace", {"shares": [0.3], "dilate_px": 5}),
    "patch_drop": ("patch_drop", {}),
    "patch_drop, free": ("patch_drop", {"variant": "free", "losses": [0.3], "repeat": 2}),
    "patch_drop, native": ("patch_drop", {"variant": "native", "losses": [0.125, 0.9], "count": "floor"}),
    "patterns": ("patterns", {"bank": BANK}),
    "patterns, embedded": ("patterns", {"ratios": [0.1], "random_positions": 1}),
    "photographed": ("photographed", {"photographs": {"scarf-even": "scarf-neutral", "scarf-left": "scarf-side"}}),
}
#: Families that draw nothing: the seed does not change them.
DRAWS_NOTHING = {"part_blackout", "photographed"}
SIZES = [(224, 224), (160, 250)]
SEED = 11


@pytest.fixture(scope="module")
def bank(tiny_bank):
    return str(tiny_bank)


@pytest.fixture(params=INSTANCES)
def make(request, bank):
    """Return a function that makes a new instance of one line of the table."""
    family, options = INSTANCES[request.param]
    options = {name: bank if value == BANK else value for name, value in options.items()}
    if options.get("model") == MODEL:
        options["model"] = str(request.getfixturevalue("tiny_pipeline"))
    donors = [example_of(key, (30, 40)) for key in ("image-1", "image-2", *map(str, range(20)))]

    def make_one():
        player = find_plugin("occlusions", family, Occlusion)(**options)
        return player.with_donors(donors) if player.needs_donors else player

    return make_one


@pytest.fixture
def player(make):
    return make()


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def size(request):
    return request.param


def example_of(key, size):
    height, width = size
    pixels = stream(1, "photograph", key, height, width).integers(256, height * width * 3)
    image = pixels.astype(np.uint8).reshape(height, width, 3)
    parts = {name: part_of(key, name, size) for name in "abc"}
    others = {name: partial(photograph_of, key, name, size) for name in ("scarf-even", "scarf-left")}
    return Example(key=key, image=image, labels=(0,), parts=parts, class_names=("photograph",), photographs=others)


def photograph_of(key, name, size):
    return stream(1, name, key).integers(256, size[0] * size[1] * 3).astype(np.uint8).reshape(*size, 3)


def part_of(key, name, size):
    """A rectangle somewhere; those of one image may overlap."""
    mask = np.zeros(size, dtype=np.bool_)
    y, x, height, width = stream(1, "part", key, name).uniforms(4) * 0.4 + 0.1
    mask[round(y * size[0]) : round((y + height) * size[0]), round(x * size[1]) : round((x + width) * size[1])] = True
    return mask


def overlays(player, size, key="image-1", seed=SEED):
    example = example_of(key, size)
    return [(example, condition, player.overlay(example, condition, seed)) for condition in player.conditions]


def bytes_of(overlay):
    return overlay.x0, overlay.y0, overlay.rgba.shape, overlay.rgba.tobytes(), overlay.achieved


def test_the_table_is_complete():
    assert {family for family, _ in INSTANCES.values()} == set(BUILT_IN["occlusions"])


def test_conditions_are_named_once_and_well(player):
    names = [condition.name for condition in player.conditions]
    assert names
    assert len(set(names)) == len(names)
    for condition in player.conditions:
        assert KEY_PATTERN.fullmatch(condition.name)
        assert KEY_PATTERN.fullmatch(condition.group)
        assert condition.family in BUILT_IN["occlusions"]


def test_conditions_and_summary_are_json_and_stable(make):
    one, other = make(), make()
    for player in (one, other):
        canonical_json([dict(condition.parameters) for condition in player.conditions])
    assert one.conditions == other.conditions == one.conditions
    assert [c.parameters for c in one.conditions] == [c.parameters for c in other.conditions]
    assert canonical_json(one.summary()) == canonical_json(other.summary())


def test_overlays_are_rgba_in_a_box_inside_the_image(player, size):
    for _, condition, overlay in overlays(player, size):
        assert overlay.rgba.dtype == np.uint8
        assert overlay.rgba.ndim == 3
        assert overlay.rgba.shape[2] == 4
        assert 0 <= overlay.x0 < overlay.x0 + overlay.rgba.shape[1] <= size[1], condition.name
        assert 0 <= overlay.y0 < overlay.y0 + overlay.rgba.shape[0] <= size[0], condition.name


def test_achieved_is_the_measured_ratio(player, size):
    for _, condition, overlay in overlays(player, size):
        measured = int(overlay.alpha.sum(dtype=np.int64)) / 255 / (size[0] * size[1])
        assert overlay.achieved == pytest.approx(measured, abs=1e-9), condition.name
        assert 0 < overlay.achieved <= 1, "a condition that hides nothing is not one"


def test_two_instances_make_the_same_overlays_in_any_order_of_calls(make):
    one, other = make(), make()
    expected = {
        (size, key, condition.name): bytes_of(overlay)
        for size in SIZES
        for key in ("image-1", "image-2")
        for _, condition, overlay in overlays(one, size, key)
    }
    for size, key, name in reversed(expected):
        condition = next(condition for condition in other.conditions if condition.name == name)
        assert bytes_of(other.overlay(example_of(key, size), condition, SEED)) == expected[size, key, name]


def test_a_pickled_player_makes_the_same_overlays(player, size):
    first = [bytes_of(overlay) for _, _, overlay in overlays(player, size)]
    copy = pickle.loads(pickle.dumps(player))
    assert copy == player
    assert hash(copy) == hash(player)
    assert [bytes_of(overlay) for _, _, overlay in overlays(copy, size)] == first


def test_overlays_of_several_images_are_those_of_each(player, size):
    examples = [example_of(key, size) for key in ("image-1", "image-2", "image-3")]
    for condition in player.conditions:
        together = player.overlays(examples, condition, SEED)
        for overlay, example in zip(together, examples, strict=True):
            alone = player.overlay(example, condition, SEED)
            assert (overlay.x0, overlay.y0, overlay.achieved) == (alone.x0, alone.y0, alone.achieved)
            assert np.abs(overlay.rgba.astype(int) - alone.rgba).max() <= 1, "more than rounding in batches"
            assert np.array_equal(overlay.alpha, alone.alpha)


def test_what_is_stored_depends_on_the_image_and_says_what_made_it(player):
    canonical_json(player.provenance())
    assert player.batch_size >= 1
    if not player.recomputable:
        assert player.per_image


def test_only_what_alpha_says_changes(player, size):
    for example, condition, overlay in overlays(player, size):
        got = composite(example.image, overlay)
        full = np.zeros((*size, 4), dtype=np.uint8)
        height, width = overlay.rgba.shape[:2]
        full[overlay.y0 : overlay.y0 + height, overlay.x0 : overlay.x0 + width] = overlay.rgba
        untouched, hidden = full[..., 3] == 0, full[..., 3] == 255
        assert np.array_equal(got[untouched], example.image[untouched]), condition.name
        assert np.array_equal(got[hidden], full[hidden, :3]), condition.name


def test_numpy_and_torch_show_the_same_picture(player, size):
    example = example_of("image-1", size)
    rows = overlays(player, size)
    rgba = np.zeros((len(rows), *size, 4), dtype=np.uint8)
    for index, (_, _, overlay) in enumerate(rows):
        height, width = overlay.rgba.shape[:2]
        rgba[index, overlay.y0 : overlay.y0 + height, overlay.x0 : overlay.x0 + width] = overlay.rgba
    images = torch.from_numpy(np.repeat(example.image[None], len(rows), axis=0)).permute(0, 3, 1, 2)
    batch = composite_batch(images, torch.from_numpy(rgba).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    for index, (_, condition, overlay) in enumerate(rows):
        assert np.array_equal(batch[index], composite(example.image, overlay)), condition.name


def test_overlays_depend_on_the_image_exactly_when_they_say_so(player, size):
    one = [bytes_of(overlay) for _, _, overlay in overlays(player, size, "image-1")]
    other = [bytes_of(overlay) for _, _, overlay in overlays(player, size, "image-2")]
    if player.per_image:
        assert not set(one) & set(other)
    else:
        assert one == other


def test_the_seed_matters_where_something_is_drawn(player):
    one = [bytes_of(overlay) for _, _, overlay in overlays(player, SIZES[0])]
    other = [bytes_of(overlay) for _, _, overlay in overlays(player, SIZES[0], seed=SEED + 1)]
    assert (one == other) == (player.conditions[0].family in DRAWS_NOTHING)


def test_hidden_says_exactly_where_the_overlay_is_opaque(player, size):
    for example, condition, overlay in overlays(player, size):
        full = np.zeros(size, dtype=np.uint8)
        height, width = overlay.rgba.shape[:2]
        full[overlay.y0 : overlay.y0 + height, overlay.x0 : overlay.x0 + width] = overlay.alpha
        hidden = player.hidden(example, condition, SEED)
        if hidden is not None:
            assert np.array_equal(full, hidden * np.uint8(255)), condition.name
        assert np.array_equal(hidden_mask(player, example, condition, SEED), full == 255), condition.name


def test_the_image_is_never_modified(player, size):
    example = example_of("image-1", size)
    before = example.image.copy()
    example.image.setflags(write=False)
    for condition in player.conditions:
        composite(example.image, player.overlay(example, condition, SEED))
    assert np.array_equal(example.image, before)
