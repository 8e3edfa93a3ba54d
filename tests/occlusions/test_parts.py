"""Parts blacked out or replaced: the same pixels hidden, donors by named draw, images without parts set aside."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from occbench.core.compose import composite
from occbench.core.errors import BrokenImageError, ConfigError, OcclusionError
from occbench.core.prepare import Prepare, PreparedImages, prepare
from occbench.core.seeding import stream
from occbench.core.types import Example
from occbench.data.clean import CleanImages
from occbench.data.datasets import load
from occbench.data.manifest import read_manifest
from occbench.data.recipe import load_recipe, parse_recipe
from occbench.data.verify import verify
from occbench.generate.run import generate
from occbench.occlusions.part_selection import part_region
from occbench.occlusions.parts import PartBlackout, PartReplace
from occbench.sources.coco_parts import CocoParts
from occbench.sources.toyparts import ToyParts


def example_of(key="photo", height=60, width=80):
    pixels = stream(0, key).integers(255, height * width * 3) + 1  # no black, so a hole shows
    parts = {name: np.zeros((height, width), dtype=np.bool_) for name in ("door", "hood", "wheel")}
    parts["door"][5:25, 5:25] = parts["hood"][30:50, 10:60] = parts["wheel"][52:58, 20:30] = True
    return Example(key=key, image=pixels.astype(np.uint8).reshape(height, width, 3), labels=(0,), parts=parts)


def photographs(count=12, height=60, width=80):
    return [example_of(f"donor {number}", height, width) for number in range(count)]


def occluded(player, example, seed=0):
    return composite(example.image, player.overlay(example, player.conditions[0], seed))


class Broken(list):
    """A sequence of images of which none can be decoded."""

    def __getitem__(self, place):
        raise BrokenImageError("damaged")


def test_the_two_largest_of_three_parts_are_black_and_the_rest_is_untouched():
    example = example_of()
    got = occluded(PartBlackout(), example)
    hidden = example.parts["door"] | example.parts["hood"]
    assert not got[hidden].any()
    assert np.array_equal(got[~hidden], example.image[~hidden])
    overlay = PartBlackout().overlay(example, PartBlackout().conditions[0], 0)
    assert overlay.achieved == hidden.sum() / hidden.size
    assert (overlay.x0, overlay.y0, overlay.rgba.shape[:2]) == (5, 5, (45, 55))


def test_fill_and_dilation():
    example = example_of()
    got = occluded(PartBlackout(fill=(255, 0, 9), dilate_px=2), example)
    changed = (got != example.image).any(axis=2)
    hidden = part_region(example.parts, 0.5, 2)
    assert np.array_equal(got[hidden], np.full((hidden.sum(), 3), (255, 0, 9)))
    assert not changed[~hidden].any()


def test_replaced_pixels_are_the_donors_at_the_same_place():
    donors = photographs(1)
    example = example_of()
    got = occluded(PartReplace().with_donors(donors), example)
    hidden = PartReplace().hidden(example, PartReplace().conditions[0], 0)
    assert np.array_equal(got[hidden], donors[0].image[hidden])
    assert np.array_equal(got[~hidden], example.image[~hidden])


@pytest.mark.parametrize("options", [{}, {"shares": (0.3,)}, {"dilate_px": 4}])
def test_blackout_and_replacement_hide_exactly_the_same_pixels(options):
    black, replaced = PartBlackout(**options), PartReplace(**options).with_donors(photographs())
    for seed in range(3):
        example = example_of(f"photo {seed}")
        one, other = (family.overlay(example, family.conditions[0], seed) for family in (black, replaced))
        assert (one.x0, one.y0, one.achieved) == (other.x0, other.y0, other.achieved)
        assert np.array_equal(one.alpha, other.alpha)


def test_a_donor_of_another_size_is_resized():
    donors = [Example("other", np.full((10, 200, 3), 77, dtype=np.uint8), (0,))]
    got = occluded(PartReplace().with_donors(donors), example_of())
    assert (got[35:45, 20:50] == 77).all()


def test_the_donor_is_drawn_by_image_and_seed_and_is_the_same_for_every_share():
    donors = [Example(f"d{value}", np.full((60, 80, 3), value, dtype=np.uint8), (0,)) for value in range(200)]
    player = PartReplace(shares=(0.3, 1.0)).with_donors(donors)

    def donor(key, seed, condition=0):
        return int(player.overlay(example_of(key), player.conditions[condition], seed).rgba[..., :3].max())

    assert donor("a", 0) == donor("a", 0, condition=1) == donor("a", 0)
    assert len({donor(key, seed) for key in "abcd" for seed in range(4)}) > 10


def test_an_image_is_never_its_own_donor_and_broken_ones_are_passed_over():
    example = example_of("donor 0")
    player = PartReplace().with_donors(photographs(2))
    hidden = player.hidden(example, player.conditions[0], 0)
    for seed in range(10):
        assert np.array_equal(occluded(player, example, seed)[hidden], photographs(2)[1].image[hidden])
    with pytest.raises(OcclusionError, match=r"image donor 0: of 100 images drawn from 1 none is another one"):
        occluded(PartReplace().with_donors(photographs(1)), example)
    with pytest.raises(OcclusionError, match="none is another one that can be decoded"):
        occluded(PartReplace().with_donors(Broken([1, 2, 3])), example)


def test_without_donors_it_says_so():
    with pytest.raises(OcclusionError, match="part_replace has no images to take pixels from"):
        occluded(PartReplace(), example_of())


@pytest.mark.parametrize("player", [PartBlackout(), PartReplace().with_donors(photographs(2))])
def test_an_image_without_parts_is_set_aside(player):
    bare = Example("bare", np.zeros((8, 8, 3), dtype=np.uint8), (0,))
    for use in (player.overlay, player.hidden):
        with pytest.raises(BrokenImageError, match="it has no part mask"):
            use(bare, player.conditions[0], 0)


def test_names_groups_and_parameters():
    found = PartBlackout(shares=(0.5, 0.125, 1), dilate_px=2).conditions
    assert [condition.name for condition in found] == ["part-blackout-50", "part-blackout-12p5", "part-blackout-100"]
    assert found[0].group == "part-blackout-50"
    assert found[0].parameters == {"share": 0.5, "dilate_px": 2}
    assert [condition.name for condition in PartReplace().conditions] == ["part-replace-50"]


@pytest.mark.parametrize(
    ("player", "digest"),
    [(PartBlackout(), "3019561a209643e3"), (PartReplace().with_donors(photographs()), "9f9eb7d06d7ac98a")],
)
def test_golden_pixels(player, digest):
    """A changed hash means other datasets: raise the family's ``version``."""
    pixels = b"".join(occluded(player, example_of(key), 7).tobytes() for key in "abc")
    assert player.version == 1
    assert hashlib.sha256(pixels).hexdigest()[:16] == digest


@pytest.mark.parametrize("family", [PartBlackout, PartReplace])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shares": ()}, "shares of the parts are in"),
        ({"shares": (50,)}, "shares of the parts are in"),
        ({"shares": (0.0,)}, "shares of the parts are in"),
        ({"shares": (0.5, 0.5)}, "shares must differ"),
        ({"dilate_px": -1}, "dilate_px is 0 to 255"),
        ({"dilate_px": 256}, "dilate_px is 0 to 255"),
    ],
)
def test_options_that_make_no_sense_are_refused(family, options, message):
    with pytest.raises(ConfigError, match=message):
        family(**options)


def test_a_fill_that_is_no_colour_is_refused():
    with pytest.raises(ConfigError, match="part_blackout: fill is three values"):
        PartBlackout(fill=(0, 0, 256))


def test_toyparts_lose_the_parts_that_cover_most():
    player = PartBlackout()
    source = ToyParts(images_per_class=1)
    for index in range(len(source)):
        example = source[index]
        sizes = sorted((int(mask.sum()) for mask in example.parts.values()), reverse=True)
        assert 4 <= len(sizes) <= 5
        hidden = player.hidden(example, player.conditions[0], 0)
        assert int(hidden.sum()) == sum(sizes[: -(-len(sizes) // 2)])


def test_real_cars_lose_half_of_their_parts(real_data):
    source = CocoParts(str(real_data / "car_parts"))
    player = PartBlackout()
    for index in range(0, 100, 20):
        example = prepare(source[index], Prepare(rule="direct", size_px=224))
        hidden = player.hidden(example, player.conditions[0], 0)
        shares = {name: (mask & hidden).sum() / mask.sum() for name, mask in example.parts.items() if mask.any()}
        assert sum(share == 1 for share in shares.values()) >= -(-len(shares) // 2)
        assert not hidden[~example.object_mask].any()
        got = occluded(player, example)
        assert not got[hidden].any()
        assert np.array_equal(got[~hidden], example.image[~hidden])


@pytest.fixture
def photos(tmp_path):
    """Six photographs with two parts each; one of them without, one damaged, one segment of a point."""
    folder = tmp_path / "photos"
    (folder / "images").mkdir(parents=True)
    rings = [[2, 2, 30, 2, 30, 20, 2, 20], [40, 40, 60, 40, 60, 60, 40, 60]]
    names = [f"{number}.png" for number in range(6)]
    for number, name in enumerate(names):
        pixels = stream(number, "photograph").integers(256, 64 * 64 * 3).astype(np.uint8).reshape(64, 64, 3)
        Image.fromarray(pixels).save(folder / "images" / name)
    (folder / "images" / "5.png").write_bytes(b"damaged")
    annotations = [
        {"image_id": image, "category_id": part, "segmentation": [rings[part]]} for image in range(5) for part in (0, 1)
    ]
    annotations[-2:] = [{"image_id": 4, "category_id": 0, "segmentation": [[256, 256]]}]
    content = {
        "images": [{"id": number, "file_name": name, "width": 64, "height": 64} for number, name in enumerate(names)],
        "categories": [{"id": 0, "name": "hood"}, {"id": 1, "name": "door"}],
        "annotations": annotations,
    }
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def recipe_of(family, **storage):
    content = {
        "name": "parts",
        "source": {"name": "coco_parts"},
        "prepare": {"rule": "direct", "size_px": 48},
        "occlusions": [{"name": family}],
        "storage": storage,
    }
    return parse_recipe(content, "parts.yaml")


@pytest.mark.parametrize("family", ["part_blackout", "part_replace"])
@pytest.mark.parametrize("layout", ["virtual", "materialised"])
def test_a_dataset_is_sound_and_says_what_was_left_out(tmp_path, photos, family, layout):
    recipe = recipe_of(family, layout=layout)
    manifest = generate(recipe, tmp_path / "out", source_path=str(photos))
    assert (manifest.images, manifest.quarantined) == (4, 2)
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()]
    assert reasons[0] == "it has no part mask"
    assert reasons[1].startswith("5.png: not a PNG")
    skipped, bare = manifest.source.notes
    assert skipped == "1 annotated segments were skipped: 1 of fewer than three points."
    assert bare.startswith("2 of 6 images have no usable part, e.g. 4.png")
    assert skipped in (tmp_path / "out" / "README.md").read_text()
    assert verify(tmp_path / "out").problems == ()
    assert read_manifest(tmp_path / "out") == manifest
    families = recipe.build_occlusions(recipe.open_source(str(photos)))
    examples = CleanImages(tmp_path / "out", manifest)
    (photos / "images").rename(photos / "gone")  # a reader of the dataset has no photographs
    dataset = load(tmp_path / "out")
    for row in range(4):
        hidden = families[0].hidden(examples.example(row), families[0].conditions[0], recipe.seed)
        image, clean = dataset.sample(row).image, examples.example(row).image
        assert np.array_equal((image != clean).any(axis=2) | hidden, hidden)
        assert (image[hidden] == 0).all() == (family == "part_blackout")


def test_donors_are_the_sources_other_images_under_the_resize_rule(photos):
    recipe = recipe_of("part_replace")
    source = recipe.open_source(str(photos))
    (family,) = recipe.build_occlusions(source)
    donors = PreparedImages(source, recipe.prepare)
    assert [donor.key for donor in donors[1:3]] == ["1", "2"]
    example = donors[0]
    hidden = family.hidden(example, family.conditions[0], 0)
    for seed in range(5):
        got = occluded(family, example, seed)[hidden]
        assert any(np.array_equal(got, donors[place].image[hidden]) for place in (1, 2, 3, 4))


def test_the_command_line_says_what_was_skipped(occbench_cli, tmp_path, photos):
    code, printed, _ = occbench_cli("generate", "part-blackout", "--source", photos, "--out", tmp_path / "out")
    assert code == 0
    assert "coco_parts: 1 annotated segments were skipped: 1 of fewer than three points." in printed
    assert "2 images could not be used" in printed


@pytest.mark.parametrize("name", ["part-blackout", "part-replace", "partimagenet-blackout"])
def test_packaged_recipes(name):
    recipe = load_recipe(name)
    assert recipe.prepare.size_px == 224
    assert len(recipe.conditions()) == 1
