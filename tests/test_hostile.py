"""Whatever goes wrong outside is one clear line and exit code 2; nothing is lost, and the mended command succeeds."""

import json
import os
import re
import resource
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from PIL import Image

from occbench.core.files import PART_SUFFIX
from occbench.data.layout import MANIFEST_FILE, WORK_FOLDER


@dataclass
class World:
    """Everything a command reads and writes: a recipe, a source, an output directory, and files beside them."""

    root: Path
    content: dict
    options: tuple = ()

    @property
    def recipe(self):
        return self.root / "tiny.yaml"

    @property
    def images(self):
        return self.root / "images"

    @property
    def out(self):
        return self.root / "out"

    def write_recipe(self, **changes):
        self.recipe.write_text(yaml.safe_dump({**self.content, **changes}), encoding="utf-8")

    def command(self):
        return ("generate", self.recipe, "--source", self.images, "--out", self.out, "--workers", 0, *self.options)


@pytest.fixture
def world(tmp_path, tiny_content, tiny_images):
    shutil.copytree(tiny_images, tmp_path / "images")
    (tmp_path / "bystander.txt").write_text("keep me")
    made = World(tmp_path, tiny_content())
    made.write_recipe()
    return made


@pytest.fixture
def refused(occbench_cli, snapshot):
    """Return a function that runs a command which must be refused in one line; files that were there stay."""

    def run(world, arguments, message):
        before = snapshot(world.root)
        code, out, err = occbench_cli(*arguments)
        lines = [line for line in err.splitlines() if line.startswith("occbench: ")]
        assert code == 2, out + err
        assert len(lines) == 1
        assert err.splitlines()[-1] == lines[0], "the message is the last line"
        assert "Traceback" not in err
        assert re.search(message, lines[0]), lines[0]
        after = snapshot(world.root)
        assert {name: after.get(name) for name in before} == before
        assert not any(name.endswith(PART_SUFFIX) for name in after)

    return run


@pytest.fixture
def mended(occbench_cli):
    def run(arguments):
        code, out, err = occbench_cli(*arguments)
        assert code == 0, out + err

    return run


def patterns(world, **options):
    world.write_recipe(occlusions=[{**world.content["occlusions"][0], **options}])


def bank(world, **files):
    """A bank of the given files; a value is a picture or bytes."""
    folder = world.root / "bank"
    folder.mkdir()
    for name, content in files.items():
        if isinstance(content, bytes):
            (folder / f"{name}.png").write_bytes(content)
        else:
            content.save(folder / f"{name}.png")
    patterns(world, bank=str(folder))


def plugin(world, code):
    (world.root / "mine.py").write_text(code)
    world.write_recipe(occlusions=[{"name": f"{world.root / 'mine.py'}:Mine"}])


def broken_mask(world):
    (world.root / "masks").mkdir()
    (world.root / "masks/1.png").write_bytes(b"\x89PNG broken")
    world.write_recipe(occlusions=[{"name": "irregular", "mask_folder": str(world.root / "masks")}])


#: what is wrong with the recipe -> (how it comes about, what the message must say)
RECIPES = {
    "wrong type": (lambda w: w.write_recipe(seed="many"), r"tiny\.yaml: seed: .*integer.*found 'many'"),
    "negative seed": (lambda w: w.write_recipe(seed=-1), "seed: .*greater than or equal to 0, found -1"),
    "unknown key": (lambda w: w.write_recipe(sede=3), "sede: there is no such key"),
    "unknown key below": (lambda w: w.write_recipe(storage={"colour": 1}), r"storage\.colour: there is no such key"),
    "unknown option": (lambda w: patterns(w, ratio=[0.1]), "patterns has no option ratio. Its options: anchor"),
    "ratio as percent": (
        lambda w: patterns(w, ratios=[20]),
        r"shares of the image in \(0, 0\.5\], found 20.*20 % is 0\.2",
    ),
    "ratio above one": (lambda w: patterns(w, ratios=[1.5]), "shares of the image .* found 1.5"),
    "ratio negative": (lambda w: patterns(w, ratios=[-0.1]), "shares of the image .* found -0.1"),
    "ratio not a number": (lambda w: patterns(w, ratios=["much"]), r"patterns: ratios\.0: .*number.*found 'much'"),
    "ratio nan": (lambda w: patterns(w, ratios=[float("nan")]), "shares of the image .* found nan"),
    "no ratios": (lambda w: patterns(w, ratios=[]), "at least one ratio, found none"),
    "missing occluder": (lambda w: patterns(w, occluders=["disk"]), "no occluder 'disk'. Did you mean disc"),
    "same occluder twice": (lambda w: patterns(w, occluders=["bar", "bar"]), "occluders must differ"),
    "no such bank": (lambda w: patterns(w, bank="occbench-31"), "no occluder bank occbench-31: give one of occbench-3"),
    "empty bank": (bank, "has no PNG or WebP file: put RGBA cut-outs"),
    "broken occluder": (lambda w: bank(w, x=b"\x89PNG"), r"x\.png cannot be read as an image .*replace it"),
    "occluder without alpha": (lambda w: bank(w, x=Image.new("RGB", (9, 9))), r"x\.png has no alpha channel: save"),
    "occluder invisible": (lambda w: bank(w, x=Image.new("RGBA", (9, 9))), "fully transparent: it would hide nothing"),
    "occluder too long": (
        lambda w: bank(w, pole=Image.new("RGBA", (300, 9), "red")),
        "occluder pole at ratio 0.2 takes .* does not fit into a 48 x 48 px image: lower ratios",
    ),
    "empty occlusions": (lambda w: w.write_recipe(occlusions=[]), r"occlusions: .*at least 1 item.*found \[\]"),
    "occlusions missing": (lambda w: w.recipe.write_text("name: x\nsource: {name: image_folder}"), "occlusions: Field"),
    "same conditions twice": (lambda w: w.write_recipe(occlusions=w.content["occlusions"] * 2), "more than once"),
    "unknown occlusion": (lambda w: w.write_recipe(occlusions=[{"name": "paterns"}]), "Did you mean patterns"),
    "unknown source": (lambda w: w.write_recipe(source={"name": "image_foldr"}), "Did you mean image_folder"),
    "plug-in file missing": (
        lambda w: w.write_recipe(occlusions=[{"name": "nowhere.py:Mine"}]),
        r"there is no file nowhere\.py\. Give a path that exists",
    ),
    "plug-in broken": (lambda w: plugin(w, "class Mine(:"), r"mine\.py cannot be imported: SyntaxError"),
    "plug-in without the class": (lambda w: plugin(w, "class Other: pass"), "has no class Mine. It has: Other"),
    "plug-in of another role": (lambda w: plugin(w, "class Mine: pass"), "is not a Occlusion: it must be a class"),
    "plug-in unfinished": (
        lambda w: plugin(w, "from occbench import Occlusion\nclass Mine(Occlusion): pass"),
        "lacks conditions, overlay",
    ),
    "not YAML": (lambda w: w.recipe.write_text("name: [tiny"), r"tiny\.yaml is not YAML: .*line 1"),
    "a tab in YAML": (lambda w: w.recipe.write_text("name:\n\t- x"), "is not YAML: .*line 2"),
    "python tag": (
        lambda w: w.recipe.write_text("name: !!python/object/apply:os.system ['touch pwned']"),
        "is not YAML: could not determine a constructor",
    ),
    "a list": (lambda w: w.recipe.write_text("- a\n- b"), "a recipe is a mapping of keys, found list"),
    "empty file": (lambda w: w.recipe.write_bytes(b""), "a recipe is a mapping of keys, found NoneType"),
    "not text": (lambda w: w.recipe.write_bytes(b"\xff\xfe\x00"), "is not YAML"),
    "name with spaces": (lambda w: w.write_recipe(name="My set"), "a-z, 0-9, - and _, found 'My set'"),
    "tiny images": (lambda w: w.write_recipe(prepare={"size_px": 4}), r"prepare\.size_px: .*8, found 4"),
    "unknown rule": (lambda w: w.write_recipe(prepare={"rule": "crop"}), "'direct', 'shorter_side', 'bbox'.*'crop'"),
    "crop above resize": (
        lambda w: w.write_recipe(prepare={"rule": "shorter_side", "size_px": 48, "shorter_side_px": 40}),
        "shorter_side_px 40 is smaller than size_px 48",
    ),
    "quality 0": (lambda w: w.write_recipe(storage={"jpeg_quality": 0}), r"jpeg_quality: .*found 0"),
    "virtual tar": (lambda w: w.write_recipe(storage={"format": "webdataset"}), "set layout: materialised"),
    "no mask folder": (
        lambda w: w.write_recipe(occlusions=[{"name": "irregular", "mask_folder": "nowhere"}]),
        "mask_folder nowhere is not a folder",
    ),
    "broken mask": (broken_mask, r"1\.png cannot be read .*replace or remove it"),
}


@pytest.mark.parametrize("what", RECIPES)
def test_recipes(what, world, refused, mended):
    spoil, message = RECIPES[what]
    spoil(world)
    refused(world, world.command(), message)
    assert not list(world.root.rglob("pwned"))
    world.write_recipe()
    mended(world.command())


#: what is wrong with an image -> (its bytes, what the reason must say)
IMAGES = {
    "zero bytes": (lambda sound: b"", "zero bytes"),
    "half a JPEG": (lambda sound: sound[: len(sound) // 2], "truncated"),
    "only a signature": (lambda sound: sound[:4], "header cannot be read"),
    "text": (lambda sound: b"hello", "not a PNG, JPEG, WebP, BMP, GIF or TIFF image"),
    "a web page": (lambda sound: b"<!DOCTYPE html><html>404</html>", "starts with"),
    "nothing but zeros": (lambda sound: bytes(5000), "not a PNG"),
    "noise after the signature": (lambda sound: sound[:20] + bytes(range(256)) * 4, "damaged|header|truncated"),
    "a huge promise": (
        lambda sound: b"BM" + bytes(12) + (40).to_bytes(4, "little") + (60_000).to_bytes(4, "little") * 2
        + b"\x01\x00\x18\x00" + bytes(24),
        "allowed are 1 to 178,956,970 pixels|too large",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", IMAGES)
def test_images(what, world, refused, mended, occbench_cli):
    spoil, reason = IMAGES[what]
    file = world.images / "bee/2.jpg"
    sound = file.read_bytes()
    file.write_bytes(spoil(sound))
    world.options = ("--strict",)
    refused(world, world.command(), rf"bee-2: .*({reason}).*Without --strict it would be set aside")
    world.options = ("--out", world.root / "lenient")
    code, out, _ = occbench_cli(*world.command())
    assert code == 0
    assert "1 images could not be used" in out
    line = json.loads((world.root / "lenient/quarantine.jsonl").read_text(encoding="utf-8"))
    assert line["key"] == "bee-2"
    assert re.search(reason, line["reason"])
    file.write_bytes(sound)
    world.options = ("--strict",)
    shutil.rmtree(world.out)  # the source has other sizes now
    mended(world.command())


def no_class_folders(world):
    shutil.move(world.images / "bee", world.root / "bee")
    shutil.rmtree(world.images)
    shutil.move(world.root / "bee", world.images)


#: what is wrong with the source -> (how it comes about, what the message must say)
SOURCES = {
    "missing": (lambda w: shutil.rmtree(w.images), "there is no folder .*images"),
    "a file": (lambda w: (shutil.rmtree(w.images), w.images.write_text("x")), "is a file, not a folder"),
    "empty": (lambda w: (shutil.rmtree(w.images), w.images.mkdir()), "neither class folders nor images"),
    "no class folders": (no_class_folders, "4 images but no class folders. Put the images of each class"),
    "an empty class": (lambda w: (w.images / "dog").mkdir(), "class folder .*dog has no image: no file ends in"),
}


@pytest.mark.parametrize("what", SOURCES)
def test_sources(what, world, refused, mended, tiny_images):
    spoil, message = SOURCES[what]
    spoil(world)
    refused(world, world.command(), message)
    shutil.rmtree(world.images) if world.images.is_dir() else world.images.unlink(missing_ok=True)
    shutil.copytree(tiny_images, world.images)
    mended(world.command())


#: options that cannot be carried out -> what the message must say
OPTIONS = {
    ("--limit", "0"): "--limit needs 1 image or more, found 0",
    ("--dry-run", "--assume-images", "-3"): "--assume-images needs 1 image or more, found -3",
    ("--set", "seed"): "--set needs KEY.KEY=VALUE, found 'seed'",
    ("--set", "occlusions.7.ratios=[0.1]"): "'7' is not an item of a list of 1",
    ("--set", "seed=[1"): "the value is not YAML",
    ("--format", "webdataset"): "set layout: materialised",
}


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_options(options, world, refused, mended):
    world.options = options
    refused(world, world.command(), OPTIONS[options])
    world.options = ()
    mended(world.command())


def test_an_unknown_recipe_suggests_the_nearest(world, refused):
    refused(world, ("generate", "quikstart", "--out", world.out), "no recipe is called 'quikstart'.*Did you mean quick")


def foreign(world):
    world.out.mkdir()
    (world.out / "thesis.txt").write_text("years of work")


def unfinished(world, plan):
    (world.out / WORK_FOLDER).mkdir(parents=True)
    (world.out / WORK_FOLDER / "plan.json").write_bytes(plan)
    (world.out / "clean").mkdir()
    (world.out / "clean/shard-00000.parquet").write_bytes(b"hours of work")


def manifest(world, content):
    world.out.mkdir()
    (world.out / MANIFEST_FILE).write_text(content)


#: what is wrong with the output directory -> (how it comes about, what the message must say)
OUTPUTS = {
    "a file": (lambda w: w.out.write_text("x"), "out is a file, not a folder. Choose another --out"),
    "foreign files": (foreign, r"is not empty .*thesis\.txt among them.*nothing in it was touched"),
    "plan is garbage": (lambda w: unfinished(w, b"\xff{"), "an unfinished run of another recipe.*delete that folder"),
    "plan of another": (lambda w: unfinished(w, b'{"dataset_fingerprint": "0"}'), "fingerprint 0, this one is"),
    "manifest is garbage": (lambda w: manifest(w, "{"), r"manifest\.json is not a manifest"),
    "manifest of the future": (
        lambda w: manifest(w, '{"format_version": 9}'),
        "format version 9, this occbench reads 1. Read it with the version named",
    ),
    "a link in a circle": (lambda w: w.out.symlink_to(w.out), "cannot write .*out"),
}


@pytest.mark.parametrize("what", OUTPUTS)
def test_outputs(what, world, refused, mended):
    spoil, message = OUTPUTS[what]
    spoil(world)
    refused(world, world.command(), message)
    shutil.rmtree(world.out) if world.out.is_dir() else world.out.unlink()
    mended(world.command())


@pytest.mark.parametrize("place", ["bystander.txt/out", "x" * 300], ids=lambda place: place[:20])
def test_places_where_nothing_can_be_written(place, world, refused, mended):
    world.options = ("--out", world.root / place)
    refused(world, world.command(), "cannot write .*Choose a folder that you may write")
    world.options = ()
    mended(world.command())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(world, refused, mended):
    (world.root / "locked").mkdir(mode=0o500)
    world.options = ("--out", world.root / "locked/out")
    refused(world, world.command(), "cannot write .*Permission denied. Choose a folder")
    (world.root / "locked").chmod(0o700)
    mended(world.command())


@pytest.mark.parametrize(
    "storage", [{}, {"layout": "materialised"}, {"layout": "materialised", "format": "webdataset"}]
)
def test_a_full_disk(storage, world, refused, mended, finished, bytes_of):
    """A limit on the size of files answers like a full disk in the middle of the first shard."""
    world.content["storage"].update(storage)
    world.write_recipe()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        refused(world, world.command(), "no space left while writing .*everything finished so far is kept. Free some")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    mended(world.command())
    assert bytes_of(world.out) == bytes_of(finished(**storage))


#: what happened to a finished dataset -> (how, exit code, what is printed)
FINISHED = {
    "no manifest": (lambda d: (d / MANIFEST_FILE).unlink(), 2, "is not an occbench dataset: it has no manifest"),
    "cut manifest": (lambda d: (d / MANIFEST_FILE).write_text("{"), 2, "is not a manifest"),
    "no directory": (shutil.rmtree, 2, "does not exist; `occbench generate RECIPE --out"),
    "missing clean shard": (lambda d: (d / "clean/shard-00001.parquet").unlink(), 1, "shard-00001.parquet is missing"),
    "cut shard": (
        lambda d: (d / "clean/shard-00001.parquet").write_bytes(b"PAR1"),
        1,
        "has 4 bytes, the manifest says",
    ),
}


@pytest.mark.parametrize("what", FINISHED)
def test_verify(what, world, occbench_cli, mended, finished):
    spoil, expected, message = FINISHED[what]
    shutil.copytree(finished(), world.out)
    spoil(world.out)
    code, out, err = occbench_cli("verify", world.out)
    assert code == expected
    assert message in out + err
    assert "Traceback" not in out + err
    shutil.rmtree(world.out, ignore_errors=True)
    shutil.copytree(finished(), world.out)
    mended(("verify", world.out))


SQUARE = [20, 20, 80, 20, 80, 80, 20, 80]
COCO = {
    "images": [{"id": 1, "file_name": "a.png", "height": 100, "width": 100}],
    "categories": [{"id": 7, "name": "crate"}],
    "annotations": [{"id": 3, "image_id": 1, "category_id": 7, "bbox": [20, 20, 60, 60], "segmentation": [SQUARE]}],
}


def annotated(**changes):
    return json.dumps({**COCO, "annotations": [{**COCO["annotations"][0], **changes}]}).encode()


#: what is wrong with the annotation file -> (its bytes, what the message must say)
ANNOTATIONS = {
    "not JSON": (b"{'images':", "is not JSON"),
    "not UTF-8": (b"\xff\xfe{", "is not JSON"),
    "a list": (b"[]", "is not a COCO instances file: it needs images with"),
    "no categories": (json.dumps({**COCO, "categories": 3}).encode(), "it needs categories with id, name"),
    "no annotations": (json.dumps({**COCO, "annotations": []}).encode(), "no object in .* makes an occluder"),
    "broken polygon": (annotated(segmentation=[[1, 2]]), "1 broken segmentation.*relax the rule"),
    "broken run lengths": (annotated(segmentation={"size": [9, 9], "counts": [81]}), "1 broken segmentation"),
    "image not there": (
        json.dumps({**COCO, "images": [{**COCO["images"][0], "file_name": "b.png"}]}).encode(),
        "1 unreadable image",
    ),
    "image unknown": (annotated(image_id=2), "1 incomplete annotation"),
    "box is text": (annotated(bbox="all"), "1 incomplete annotation"),
}


@pytest.mark.parametrize("what", ANNOTATIONS)
def test_annotations(what, world, refused, mended):
    content, message = ANNOTATIONS[what]
    Image.new("RGB", (100, 100), "red").save(world.images / "a.png")
    file = world.root / "instances.json"
    file.write_bytes(content)
    arguments = ("occluders", "from-coco", file, world.images, "--out", world.out, "--min-area-px", 100)
    refused(world, arguments, message)
    assert not world.out.exists()
    file.write_text(json.dumps(COCO))
    mended(arguments)
    assert (world.out / "crate1.png").is_file()
