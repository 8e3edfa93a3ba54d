"""Occluded twins of training images: one of each image that can have one, a function of image, family and seed."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from occbench.bench.images.images import ImageSet
from occbench.bench.images.twins import occluded_twins
from occbench.bench.protocol.cell import cells
from occbench.bench.protocol.twin_family import twin_family
from occbench.core.errors import ConfigError, DatasetError
from occbench.core.interfaces import Occlusion
from occbench.core.prepare import Prepare
from occbench.data.config import PluginSpec
from occbench.data.datasets import load
from occbench.data.recipe import parse_recipe
from occbench.data.render import Renderer
from occbench.generate.run import generate
from occbench.occlusions.part_selection import part_region
from occbench.occlusions.parts import PartBlackout, PartReplace
from occbench.occlusions.patch_drop import PatchDrop
from occbench.occlusions.patterns import Patterns

SEED = 4
FAMILIES = {
    "a family of parts": PartBlackout(),
    "one with several conditions": PatchDrop(losses=(0.2, 0.6, 0.8)),
    "one whose overlays images share": Patterns(ratios=(0.2,), random_positions=1),
    "one with donors": PartReplace(),
}


@pytest.fixture(scope="module")
def images(tiny_materials):
    return tiny_materials().train


@pytest.fixture(params=FAMILIES)
def family(request):
    return FAMILIES[request.param]


def some(images, rows):
    """Return a set of some of the images."""
    return ImageSet.of([images.examples[row] for row in rows], images.labels[list(rows)])


def by_origin(twins, images):
    """Return {key of the clean image: the twin}; a twin's key begins with it."""
    return {
        next(key for key in images.keys if example.key.startswith(f"{key}-")): example for example in twins.examples
    }


def test_every_image_has_one_with_its_label_and_masks_and_a_name_of_its_own(images, family):
    twins = occluded_twins(images, family, SEED)
    assert len(twins) == len(images)
    assert torch.equal(twins.labels, images.labels)
    assert not set(twins.keys) & set(images.keys)
    assert len(set(twins.keys)) == len(twins)
    for clean, twin, pixels in zip(images.examples, twins.examples, twins.images[:], strict=True):
        assert twin.key.startswith(f"{clean.key}-")
        assert twin.labels == clean.labels
        assert (twin.image == pixels.permute(1, 2, 0).numpy()).all()
        assert (twin.image != clean.image).any()
        assert (twin.object_mask == clean.object_mask).all()
        assert list(twin.parts) == list(clean.parts)
        assert all((twin.parts[name] == mask).all() for name, mask in clean.parts.items())


def test_a_twin_is_what_the_family_makes_of_the_image(images, family):
    asked = family.with_donors(images.examples) if family.needs_donors else family
    renderer, used = Renderer([asked], SEED), set()
    for clean, twin in zip(images.examples, occluded_twins(images, family, SEED).examples, strict=True):
        made = [item.name for item in renderer.conditions if (renderer.render(clean, item)[0] == twin.image).all()]
        named = [name for name in made if f"-{name}-" in twin.key]
        assert len(named) == 1
        used.add(named[0])
    assert len(used) > len(renderer.conditions) // 2  # conditions are drawn, not the first one taken


def test_twins_depend_on_nothing_but_image_family_and_seed(images, family):
    whole = by_origin(occluded_twins(images, family, SEED), images)
    again = by_origin(occluded_twins(images, family, SEED), images)
    assert all((whole[key].image == again[key].image).all() for key in whole)
    if family.needs_donors:  # other images are what it shows
        return
    backwards = by_origin(occluded_twins(some(images, range(len(images) - 1, 3, -2)), family, SEED), images)
    assert len(backwards) > 5
    assert all((whole[key].image == twin.image).all() for key, twin in backwards.items())


def test_the_seed_draws_where_there_is_something_to_draw(images):
    for family, differs in ((PatchDrop(), True), (PartReplace(), True), (PartBlackout(), False)):
        one, other = (occluded_twins(images, family, seed) for seed in (0, 1))
        assert (not torch.equal(one.images[:], other.images[:])) == differs


def test_images_without_parts_are_trained_on_alone(images):
    bare = {1, 4}
    examples = [
        replace(example, parts={}) if row in bare else example for row, example in enumerate(images.examples[:6])
    ]
    twins = occluded_twins(ImageSet.of(examples, images.labels[:6]), PartBlackout(), SEED)
    left = [row for row in range(6) if row not in bare]
    assert twins.labels.tolist() == images.labels[left].tolist()
    assert list(by_origin(twins, images)) == [images.keys[row] for row in left]


def test_where_no_image_can_have_one_it_is_one_clear_line(images):
    bare = ImageSet.of([replace(example, parts={}) for example in images.examples[:3]], images.labels[:3])
    with pytest.raises(
        ConfigError, match=r"none of the 3 training images can be occluded by part_blackout: .*part"
    ) as e:
        occluded_twins(bare, PartBlackout(), SEED)
    assert "toyparts" in str(e.value)
    assert "\n" not in str(e.value)


def test_replaced_parts_show_another_image_at_the_same_place(images):
    for clean, twin in zip(images.examples, occluded_twins(images, PartReplace(), SEED).examples, strict=True):
        hole = part_region(clean.parts, 0.5, 0)
        assert (twin.image[~hole] == clean.image[~hole]).all()
        donors = [other.key for other in images.examples if (other.image[hole] == twin.image[hole]).all()]
        assert len(donors) == 1
        assert donors != [clean.key]


@dataclass(frozen=True)
class InBatches(Occlusion):
    """A blackout that works on three images at a time and notes how many it was given."""

    per_image: ClassVar[bool] = True
    inner: ClassVar[Occlusion] = PartBlackout()
    given: list = field(default_factory=list)

    @property
    def batch_size(self):
        return 3

    @property
    def conditions(self):
        return self.inner.conditions

    def overlay(self, example, condition, seed):
        raise AssertionError("one at a time")

    def overlays(self, examples, condition, seed):
        self.given.append(len(examples))
        return self.inner.overlays(examples, condition, seed)


def test_a_family_that_works_in_batches_is_given_batches(images):
    family = InBatches()
    twins = occluded_twins(some(images, range(8)), family, SEED)
    assert family.given == [3, 3, 2]
    assert torch.equal(twins.images[:], occluded_twins(some(images, range(8)), PartBlackout(), SEED).images[:])


ARMS = {
    "plain": {"method": {"name": "fine_tune"}},
    "own": {"method": {"name": "part_blackout"}},
    "red": {"method": {"name": "part_blackout"}, "twins": {"name": "part_blackout", "fill": [255, 0, 0]}},
    "added": {"method": {"name": "fine_tune"}, "twins": {"name": "patch_drop", "losses": [0.5]}},
}


def test_an_arm_trains_on_the_methods_twins_or_on_those_it_names_itself(tiny_materials):
    materials = tiny_materials(arms=ARMS)
    count = len(materials.train)
    sets = {name: materials.training_images(arm) for name, arm in materials.benchmark.arms.items() if name in ARMS}
    assert {name: len(found) for name, found in sets.items()} == {
        "plain": count, "own": 2 * count, "red": 2 * count, "added": 2 * count,
    }  # fmt: skip
    for found in sets.values():
        assert torch.equal(found.images[:count], materials.train.images[:])
        assert torch.equal(found.labels, materials.train.labels.repeat(len(found) // count))
        assert len(set(found.keys)) == len(found)
    # kept under their keys: one family with other options must not be taken for the same twin
    assert not set(sets["own"].keys[count:]) & set(sets["red"].keys[count:])
    for row in range(count):
        example = materials.train.examples[row]
        hole = part_region(example.parts, 0.5, 0)
        black, red, dropped = (sets[name].examples[count + row].image for name in ("own", "red", "added"))
        assert not black[hole].any()
        assert (red[hole] == np.array([255, 0, 0])).all()
        assert (dropped == 0).all(2).mean() > 0.3


def recipe_of(*families, size_px=32):
    content = {
        "name": "twins",
        "source": {"name": "toyparts", "images_per_class": 6, "size_px": 32, "split": "train"},
        "prepare": {"rule": "direct", "size_px": size_px},
        "occlusions": list(families),
        "seed": 8,
        "storage": {"rows_per_shard": 16},
    }
    return parse_recipe(content, "twins.yaml")


@pytest.mark.parametrize("family", ["part_blackout", "part_replace"])
def test_twins_may_lie_ready_in_a_dataset(tiny_materials, tmp_path, family):
    """Made again from the recipe, or read where they are stored: those of the training images, and no others."""
    recipe, directory = recipe_of({"name": family}), tmp_path / "made"
    generate(recipe, directory)
    arms = {"D": {"method": {"name": "fine_tune"}, "twins": {"name": "dataset", "path": str(directory)}}}
    materials = tiny_materials(arms=arms)
    count, found = len(materials.train), materials.training_images(materials.benchmark.arms["D"])
    assert len(found) == 2 * count
    assert torch.equal(found.labels[count:], materials.train.labels)
    of_dataset = {row["key"]: row["image"].permute(1, 2, 0).numpy() for row in load(directory)}
    assert len(of_dataset) > count
    for clean, twin in zip(materials.train.examples, found.examples[count:], strict=True):
        assert (twin.image == of_dataset[clean.key]).all()
        assert (twin.image != clean.image).any()
        assert list(twin.parts) == list(clean.parts)


def test_a_cell_knows_which_dataset_its_twins_are_from(tiny_materials, tmp_path):
    named = []
    for seed, family in ((8, "part_blackout"), (8, "part_replace"), (9, "part_replace")):
        directory = tmp_path / f"{family}-{seed}"
        generate(recipe_of({"name": family}).model_copy(update={"seed": seed}), directory)
        # at the same place, one after another, as a dataset that was made again
        link = tmp_path / "twins"
        link.unlink(missing_ok=True)
        link.symlink_to(directory)
        arms = {"D": {"method": {"name": "fine_tune"}, "twins": {"name": "dataset", "path": str(link)}}}
        materials = tiny_materials(arms=arms)
        cell = next(cell for cell in cells(materials.benchmark, {}, materials.fingerprint) if cell.arm_name == "D")
        named.append(replace(cell).facts["twins"])
    assert len(set(named)) == 3


def test_a_dataset_that_does_not_fit_is_one_clear_line(tiny_materials, images, tmp_path):
    generate(recipe_of({"name": "part_replace"}, size_px=48), tmp_path / "larger")
    rule = Prepare(rule="direct", size_px=32)
    with pytest.raises(ConfigError, match=r"larger were made of .* size_px 48, the benchmark has .* size_px 32"):
        twin_family(PluginSpec(name="dataset", path=str(tmp_path / "larger")), rule)
    with pytest.raises(ConfigError, match=r"are \{name: dataset, path: DIRECTORY\}, found"):
        twin_family(PluginSpec(name="dataset"), rule)
    with pytest.raises(DatasetError, match="manifest"):
        twin_family(PluginSpec(name="dataset", path=str(tmp_path)), rule)
    generate(recipe_of({"name": "part_replace"}), tmp_path / "fits")
    family = twin_family(PluginSpec(name="dataset", path=str(tmp_path / "fits")), rule)
    strangers = ImageSet.of([replace(example, key=f"x-{example.key}") for example in images.examples], images.labels)
    with pytest.raises(
        ConfigError, match=r"none of the .*: x-\S+ is not in \S+fits, set aside there or of another source"
    ):
        occluded_twins(strangers, family, SEED)


def test_files_of_the_users_own_that_an_arm_names_are_part_of_its_cells_name(tiny_materials, tmp_path):
    file, seen = tmp_path / "mine.py", set()
    for fill in (1, 2):
        file.write_text(f"from occbench.occlusions.patch_drop import PatchDrop as Mine\nFILL = {fill}\n")
        arms = {"D": {"method": {"name": "fine_tune"}, "twins": {"name": f"{file}:Mine"}}}
        benchmark = tiny_materials(arms=arms).benchmark
        cell = next(cell for cell in cells(benchmark, {}, "images") if cell.arm_name == "D")
        seen.add(replace(cell).fingerprint)
    assert len(seen) == 2


def test_twins_are_made_once_for_all_cells(tiny_materials):
    materials = tiny_materials(arms=ARMS)
    arm = materials.benchmark.arms["own"]
    first, second = (materials.training_images(arm).examples[len(materials.train)] for _ in range(2))
    assert np.shares_memory(first.image, second.image)
