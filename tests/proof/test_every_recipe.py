"""Every recipe, as it is but for a limit, makes a dataset that is proven sound, virtual and materialised.

A recipe that is added needs a line in ``RECIPES``; a test proves that none is missing.
"""

from pathlib import Path

import pytest

import occbench
from occbench.data.recipe import load_recipe

FOLDER = Path(__file__).parents[2] / "recipes"
#: Clean images of each dataset.
LIMIT = 3
#: What makes inpainting by a network a matter of seconds.
_SMALL_PAINTINGS = ("prepare.size_px=64", "occlusions.0.size_px=64", "occlusions.0.steps=1", "occlusions.0.dtype=fp32")
#: recipe -> (place that it reads, or nothing; settings, in which {PIPELINE} stands for a tiny diffusion model)
RECIPES = {
    "caltech101-24": ("CALTECH", ()),
    "coco-levels": ("COCO_OBJECTS", ()),
    "coco-multilabel-24": ("COCO_SAMPLE", ()),
    "ilsvrc-240": ("ILSVRC/train", ()),
    "ilsvrc-crosspattern-test": ("ILSVRC/train", ()),
    "ilsvrc-crosspattern-train": ("ILSVRC/train", ()),
    "imagenet-patchdrop": ("ILSVRC/val", ("source.labels_file={SOURCE}/../val.txt",)),
    "irregular-holes": ("FOLDERS", ()),
    "part-blackout": ("COCO_PARTS", ()),
    "part-inpaint": ("COCO_PARTS", (*_SMALL_PAINTINGS, "occlusions.0.model={PIPELINE}")),
    "part-replace": ("COCO_PARTS", ()),
    "partimagenet-blackout": ("PARTIMAGENET/parts", ()),
    "quickstart": ("", ()),
    "toyparts-levels": ("", ()),
    "toyparts-scenes": ("", ()),
    "voc-irregular": ("VOC", ()),
}


def test_every_recipe_has_its_line():
    assert set(RECIPES) == {path.stem for path in FOLDER.glob("*.yaml")}


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_makes_sound_datasets(occbench_cli, folder_of, tiny_pipeline, tmp_path, name):
    place, settings = RECIPES[name]
    source = folder_of(place) if place else None
    command = ["generate", name, "--limit", LIMIT, "--workers", 0, *(("--source", source) if source else ())]
    for setting in settings:
        command += ["--set", setting.format(PIPELINE=tiny_pipeline, SOURCE=source)]
    conditions = len(load_recipe(name).conditions())
    for way, options in {"virtual": (), "stored": ("--materialise",)}.items():
        out = tmp_path / way
        code, said, err = occbench_cli(*command, "--out", out, *options)
        assert code == 0, err
        assert f"{LIMIT} clean images x {conditions} condition" in said
        code, said, err = occbench_cli("verify", out)
        assert code == 0, said + err
        assert f"{LIMIT * conditions} rows rendered again" in said
    virtual, stored = (occbench.load(tmp_path / way) for way in ("virtual", "stored"))
    assert len(virtual) == len(stored) == LIMIT * conditions
    for row in range(0, len(virtual), max(1, len(virtual) // 20)):
        one, other = virtual[row], stored[row]
        assert (one["key"], one["condition"], one["achieved"]) == (other["key"], other["condition"], other["achieved"])
        assert one["image"].equal(other["image"])
