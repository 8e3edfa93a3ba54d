"""Object-level occlusion: the asked share of the object is hidden, or the image is named and set aside."""

import hashlib
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from occbench.core.build import build_plugin
from occbench.core.errors import BrokenImageError, ConfigError, OcclusionError
from occbench.core.interfaces import Occlusion
from occbench.core.prepare import Prepare, read_prepared
from occbench.core.types import Example
from occbench.occlusions.levels import Levels
from occbench.sources.toyparts import ToyParts

BACKGROUND = (("b1", 0.0, 0.2), ("b2", 0.2, 0.4), ("b3", 0.4, 0.6))


@pytest.fixture(scope="module")
def toys():
    """One image of each toyparts class."""
    source = ToyParts(images_per_class=1, size_px=64)
    return [read_prepared(source, index, Prepare(rule="none")) for index in range(len(source))]


def with_object(mask, **more):
    image = np.full((*mask.shape, 3), 90, dtype=np.uint8)
    facts = {"labels": (0,), "class_names": ("thing",), **more}
    return Example(key="thing-1", image=image, object_mask=mask, **facts)


def square(side=64, start=16, stop=48):
    mask = np.zeros((side, side), dtype=np.bool_)
    mask[start:stop, start:stop] = True
    return mask


def full_alpha(overlay, shape):
    alpha = np.zeros(shape, dtype=np.int64)
    height, width = overlay.alpha.shape
    alpha[overlay.y0 : overlay.y0 + height, overlay.x0 : overlay.x0 + width] = overlay.alpha
    return alpha


def share(alpha, mask):
    """The exact hidden share of a mask, one pixel after another."""
    return Fraction(sum(alpha[mask].tolist()), 255 * len(alpha[mask]))


def in_band(found, low, high):
    return Fraction(str(low)) <= found < Fraction(str(high))


def by_type(player, example, level="l2"):
    """Type -> overlay of a level."""
    conditions = [condition for condition in player.conditions if condition.parameters["level"] == level]
    return {condition.parameters["type"]: player.overlay(example, condition, 3) for condition in conditions}


@pytest.mark.parametrize(
    "options",
    [{}, {"clip": False}, {"outline": "box"}, {"max_occluders": 1}, {"bank": "occbench-3", "types": ["object"]}],
    ids=str,
)
def test_the_hidden_share_of_the_object_lies_in_its_band(toys, options):
    player = Levels(**options)
    for example in toys:
        for condition in player.conditions:
            overlay = player.overlay(example, condition, 3)
            alpha = full_alpha(overlay, example.image.shape[:2])
            found = share(alpha, example.object_mask)
            assert in_band(found, *condition.parameters["object_share"]), (example.key, condition.name)
            assert overlay.measured["object_share"] == float(found)
            assert overlay.measured["background_share"] == float(share(alpha, ~example.object_mask))
            assert set(overlay.measured) == set(player.measures)


def test_shares_spread_over_the_band(toys):
    player = Levels(types=("white",), levels=(("some", 0.2, 0.4),))
    (condition,) = player.conditions
    shares = [
        player.overlay(example, condition, seed).measured["object_share"] for seed in range(10) for example in toys
    ]
    assert np.ptp(shares) > 0.17
    assert abs(np.mean(shares) - 0.3) < 0.02


def test_the_share_of_the_background_is_controlled_too(toys):
    player = Levels(background=BACKGROUND, types=("object", "white"), tries=5000)
    assert len(player.conditions) == 3 * 3 * 2
    for example in toys[:6]:
        for condition in player.conditions:
            overlay = player.overlay(example, condition, 3)
            alpha = full_alpha(overlay, example.image.shape[:2])
            for mask, asked in ((example.object_mask, "object_share"), (~example.object_mask, "background_share")):
                assert in_band(share(alpha, mask), *condition.parameters[asked]), (example.key, condition.name)


def test_the_three_fillings_have_one_mask_and_objects_their_own(toys):
    for example in toys[:4]:
        made = by_type(Levels(), example)
        white, noise, texture, other = (made[kind] for kind in ("white", "noise", "texture", "object"))
        for filled in (noise, texture):
            assert (filled.x0, filled.y0) == (white.x0, white.y0)
            assert np.array_equal(filled.alpha, white.alpha)
        assert set(np.unique(white.alpha)) == {0, 255}
        assert full_alpha(other, (64, 64)).tolist() != full_alpha(white, (64, 64)).tolist()
        hidden = white.alpha == 255
        assert (white.rgba[hidden, :3] == 255).all()
        assert len(np.unique(noise.rgba[hidden, :3])) > 200
        assert abs(noise.rgba[hidden, :3].mean() - 127.5) < 10
        assert not np.array_equal(texture.rgba, noise.rgba)
        for overlay in made.values():
            assert not overlay.rgba[overlay.alpha == 0].any(), "what is not seen has no colour"


def test_textures_are_cropped_from_photographs(tmp_path, toys):
    ramp = np.zeros((300, 200, 3), dtype=np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(200), (np.arange(300) // 2)[:, None]
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    player = Levels(types=("texture",), textures=str(tmp_path))
    overlay = player.overlay(toys[0], player.conditions[0], 0)
    hidden = overlay.rgba[..., 3] == 255
    down, across = np.nonzero(hidden)
    assert np.ptp(overlay.rgba[hidden, 0].astype(int) - across) == 0, "one crop at its own scale"
    assert np.ptp(overlay.rgba[hidden, 1].astype(int) - down // 2) <= 1
    assert player.summary()["textures_hash"] != replace(player, textures="").summary().get("textures_hash")


@pytest.mark.parametrize(
    ("category", "class_name", "own"),
    [("bar", "bar", True), ("tv", "tvmonitor", True), ("dining-table", "Dining table", True), ("bar", "barn", False)],
)
def test_occluders_of_the_images_own_class_are_never_used(tmp_path, category, class_name, own):
    for name, colour in ((f"{category}1", (250, 0, 0, 255)), ("disc1", (0, 0, 250, 255))):
        Image.fromarray(np.full((20, 30, 4), colour, dtype=np.uint8)).save(tmp_path / f"{name}.png")
    player = Levels(bank=str(tmp_path), types=("object",))
    example = with_object(square(), class_names=(class_name,))
    shown = [player.overlay(example, condition, seed).rgba for condition in player.conditions for seed in range(8)]
    assert any(rgba[..., 2].any() for rgba in shown)
    assert any(rgba[..., 0].any() for rgba in shown) != own


def test_a_bank_of_nothing_else_is_refused_and_so_is_an_image_without_class_names(tiny_bank):
    player = Levels(bank=str(tiny_bank))
    with pytest.raises(OcclusionError, match=r"thing-1: bank .* has only bar, disc, .* a bank with other"):
        player.overlay(with_object(square(), labels=(0, 1), class_names=("disc", "bar")), player.conditions[0], 0)
    with pytest.raises(OcclusionError, match="thing-1: occluders of its own class cannot be told"):
        player.overlay(with_object(square(), class_names=()), player.conditions[0], 0)


def test_the_union_of_parts_stands_in_for_a_missing_object_mask():
    whole = square()
    top, bottom = whole.copy(), whole.copy()
    top[32:], bottom[:30] = False, False
    player = Levels()
    from_parts = replace(with_object(whole), object_mask=None, parts={"top": top, "bottom": bottom})
    for condition in player.conditions:
        one, other = (player.overlay(example, condition, 0) for example in (with_object(whole), from_parts))
        assert np.array_equal(one.rgba, other.rgba)
        assert one.measured == other.measured


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (replace(with_object(square()), object_mask=None), "no object mask and no part"),
        (with_object(np.zeros((64, 64), dtype=np.bool_)), "left nothing of its object"),
        (with_object(np.ones((64, 64), dtype=np.bool_)), "there is no background"),
    ],
    ids=["no mask", "empty mask", "no background"],
)
def test_an_image_that_cannot_be_measured_is_named(example, message):
    player = Levels(background=BACKGROUND)
    with pytest.raises(BrokenImageError, match=f"image thing-1: .*{message}"):
        player.overlay(example, player.conditions[0], 0)


def test_a_band_that_is_never_reached_is_named_with_the_image_and_the_tries():
    mask = np.zeros((64, 64), dtype=np.bool_)
    mask[[0, 0, 63, 63], [0, 63, 0, 63]] = True  # four corners: no one occluder hides three, and not much else
    player = Levels(levels=(("hard", 0.7, 0.8),), background=(("little", 0, 0.01),), tries=50)
    goal = r"hard \[0\.7, 0\.8\) x little \[0, 0\.01\)"
    with pytest.raises(
        BrokenImageError, match=f"image thing-1: none of 50 placements of white hides {goal} of its 4 px"
    ):
        player.overlay(with_object(mask), player.conditions[0], 0)


@pytest.mark.parametrize("side", [5, 17, 300])
def test_small_and_large_images(side):
    mask = np.zeros((side, side + 3), dtype=np.bool_)
    mask[side // 4 : -(side // 4), 1:-1] = True
    player = Levels()
    for condition in player.conditions:
        overlay = player.overlay(with_object(mask), condition, 1)
        assert in_band(share(full_alpha(overlay, mask.shape), mask), *condition.parameters["object_share"])


def test_another_image_level_or_seed_is_occluded_elsewhere(toys):
    player = Levels(types=("white",))
    made = [player.overlay(toys[0], condition, seed) for condition in player.conditions for seed in (0, 1)]
    made += [player.overlay(replace(toys[0], key="other"), player.conditions[0], 0)]
    assert len({(overlay.x0, overlay.y0, overlay.rgba.tobytes()) for overlay in made}) == len(made)


def test_overlays_are_pinned(toys):
    """A change here means raising ``Levels.version``."""
    digest = hashlib.sha256()
    for example in toys[:3]:
        # not the drawing of the toys, which may differ by a level: a mask of exact shape
        mask = np.zeros((64, 64), dtype=np.bool_)
        mask[10:50, 20 : 30 + len(example.key)] = True
        for condition in Levels().conditions:
            overlay = Levels().overlay(with_object(mask), condition, 5)
            digest.update(repr((overlay.x0, overlay.y0, overlay.rgba.shape)).encode() + overlay.rgba.tobytes())
    assert digest.hexdigest()[:16] == "e0f96593d3decba7"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": []}, "levels needs one or more"),
        ({"levels": [["l1", 0.4, 0.2]]}, r"levels l1 needs 0 <= low < high <= 1, found \[0.4, 0.2\)"),
        ({"levels": [["l1", 20, 40]]}, "20 % is 0.2"),
        ({"levels": [["l1", 0.2, 0.4], ["l1", 0.4, 0.6]]}, "names of levels must differ"),
        ({"levels": [["L 1", 0.2, 0.4]]}, "a name of a-z"),
        ({"levels": [["l1", 0.2]]}, "levels"),
        ({"background": [["b", 0.3, 0.3]]}, "background b needs"),
        ({"types": ["mosaic"]}, "types.*found 'mosaic'"),
        ({"types": []}, "types are of white, noise, texture, object"),
        ({"types": ["white", "white"]}, "each once"),
        ({"outline": "circle"}, "outline.*'circle'"),
        ({"max_occluders": 0}, "max_occluders is 1 to 16, found 0"),
        ({"tries": 0}, "tries is 1 to 1000000, found 0"),
        ({"tries": "many"}, "tries"),
        ({"level": 1}, "has no option level. Its options: background"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_wrong_option_is_one_clear_line(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build_plugin("levels", "occlusions", Occlusion, options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_texture_folder_must_hold_photographs(tmp_path, toys, name):
    (tmp_path / "empty").mkdir()
    player = Levels(types=("texture",), textures=str(tmp_path / name))
    with pytest.raises(ConfigError, match=f"textures .*{name}"):
        player.overlay(toys[0], player.conditions[0], 0)


def test_a_crop_without_a_mask_may_be_the_object_as_a_whole():
    crop = replace(with_object(square()), object_mask=None)
    player = Levels(types=("white",), without_mask="whole")
    for condition in player.conditions:
        overlay = player.overlay(crop, condition, 0)
        everything = np.ones((64, 64), dtype=np.bool_)
        assert in_band(share(full_alpha(overlay, (64, 64)), everything), *condition.parameters["object_share"])
        assert overlay.measured["background_share"] == 0.0
    masked = with_object(square())  # a mask that is there counts
    condition = player.conditions[1]
    assert full_alpha(player.overlay(masked, condition, 0), (64, 64)).tolist() == (
        full_alpha(Levels(types=("white",)).overlay(masked, condition, 0), (64, 64)).tolist()
    )
    with pytest.raises(ConfigError, match="without_mask refused or whole"):
        Levels(without_mask="ignored")
