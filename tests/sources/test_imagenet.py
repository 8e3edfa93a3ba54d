"""ImageNet in its layouts: the label order of published classifiers, and the traps of its label files."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from occbench.core.errors import ConfigError, SourceError
from occbench.sources.imagenet import ImageNet

# sorted; the development kit's ids of these are 3, 1, 2
FISH, FOX, DOG = "n01440764", "n02119789", "n02200735"


def paint(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (value, value, value)).save(path, "PNG")


@pytest.fixture
def folders(tmp_path):
    for value, synset in enumerate([FOX, FISH, DOG]):
        paint(tmp_path / "train" / synset / f"{synset}_1.JPEG", value)
    return tmp_path / "train"


@pytest.fixture
def flat(tmp_path):
    """Four validation images, painted with their own numbers."""
    for number in range(1, 5):
        paint(tmp_path / "val" / f"ILSVRC2012_val_{number:08d}.JPEG", number)
    return tmp_path / "val"


def written(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def synset_of_each(source):
    """Painted number -> class name."""
    return {int(source[i].image[0, 0, 0]): source.classes[source[i].labels[0]] for i in range(len(source))}


EXPECTED = {1: FOX, 2: FISH, 3: DOG, 4: FISH}


def solution_csv(folder):
    rows = [f"ILSVRC2012_val_{n:08d},{s} 85 1 499 272 {s} 1 2 3 4 " for n, s in reversed(EXPECTED.items())]
    return {"labels_file": written(folder / "LOC_val_solution.csv", "ImageId,PredictionString", *rows)}


def two_columns(folder):
    rows = [f"ILSVRC2012_val_{n:08d}.JPEG {s}" for n, s in EXPECTED.items()]
    return {"labels_file": written(folder / "val.txt", *rows)}


def two_columns_with_tabs_and_folders(folder):
    rows = [f"val/ILSVRC2012_val_{n:08d}.JPEG\t{s}" for n, s in EXPECTED.items()]
    return {"labels_file": written(folder / "val.tsv", *rows)}


def ground_truth(folder):
    return written(folder / "ILSVRC2012_validation_ground_truth.txt", "1", "3", "2", "3")


def ground_truth_and_matlab(folder):
    fields = [("ILSVRC2012_ID", object), ("WNID", object), ("words", object), ("num_children", object)]
    rows = [(1, FOX, "kit fox", 0), (2, DOG, "setter", 0), (3, FISH, "tench", 0), (4, "n00001740", "entity", 3)]
    savemat(folder / "meta.mat", {"synsets": np.array(rows, dtype=fields)})
    return {"labels_file": ground_truth(folder), "classes_file": str(folder / "meta.mat")}


def ground_truth_and_numbered_list(folder):
    names = written(folder / "map.txt", f"{FISH} 3 tench", f"{FOX} 1 kit_fox", f"{DOG} 2 setter")
    return {"labels_file": ground_truth(folder), "classes_file": names}


def ground_truth_and_list_in_id_order(folder):
    names = written(folder / "words.txt", f"{FOX} kit fox", f"{DOG} setter", f"{FISH} tench")
    return {"labels_file": ground_truth(folder), "classes_file": names}


NAMES = {FISH: "tench", FOX: "kit fox", DOG: "setter"}


@pytest.mark.parametrize(
    "label_files",
    [
        solution_csv,
        two_columns,
        two_columns_with_tabs_and_folders,
        ground_truth_and_matlab,
        ground_truth_and_numbered_list,
        ground_truth_and_list_in_id_order,
    ],
)
def test_every_label_file_gives_the_same_labels(flat, tmp_path, label_files):
    options = label_files(tmp_path)
    source = ImageNet(str(flat), **options)
    names = NAMES if "classes_file" in options else {synset: synset for synset in NAMES}
    found = {number: name.replace("_", " ") for number, name in synset_of_each(source).items()}
    assert found == {number: names[synset] for number, synset in EXPECTED.items()}
    assert [name.replace("_", " ") for name in source.classes] == [names[synset] for synset in sorted(NAMES)]
    assert source.key(0) == "ilsvrc2012_val_00000001"


def test_a_sorted_list_is_no_id_order_and_is_refused(flat, tmp_path):
    words = written(tmp_path / "synset_words.txt", f"{FISH} tench", f"{FOX} kit fox", f"{DOG} setter")
    with pytest.raises(SourceError, match=r"sorted order, but .* counts them by ILSVRC2012_ID.*meta\.mat"):
        len(ImageNet(str(flat), labels_file=ground_truth(tmp_path), classes_file=words))


def test_ids_alone_say_nothing(flat, tmp_path):
    with pytest.raises(SourceError, match=r"class ids without synsets.*meta\.mat"):
        len(ImageNet(str(flat), labels_file=ground_truth(tmp_path)))


def test_class_folders_follow_sorted_synsets(folders):
    (folders / "extra").mkdir()
    source = ImageNet(str(folders))
    assert source.classes == (FISH, FOX, DOG)
    assert synset_of_each(source) == {0: FOX, 1: FISH, 2: DOG}
    assert source.key(0) == f"{FISH}-{FISH}_1"


@pytest.mark.parametrize("words", [[f"{FISH} tench", f"{FOX} crane", f"{DOG} crane"]])
def test_names_that_two_synsets_share_get_the_synset(folders, tmp_path, words):
    source = ImageNet(str(folders), classes_file=written(tmp_path / "words.txt", *words))
    assert source.classes == ("tench", f"crane ({FOX})", f"crane ({DOG})")


def test_a_subset_is_sorted_and_may_come_from_a_file(folders, flat, tmp_path):
    subset = written(tmp_path / "subset.txt", f"{DOG} setter", FISH)
    for source in (ImageNet(str(folders), only=(DOG, FISH)), ImageNet(str(folders), only_from=subset)):
        assert source.classes == (FISH, DOG)
        assert len(source) == 2
    source = ImageNet(str(flat), only=(DOG, FISH), **two_columns(tmp_path))
    assert synset_of_each(source) == {2: FISH, 3: DOG, 4: FISH}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([f"ILSVRC2012_val_00000001.JPEG {FISH}"], r"no label for 3 of 4 images .* e\.g\. ILSVRC2012_val_00000002"),
        (["ILSVRC2012_val_00000001.JPEG 65"], "the label '65', which is not a synset"),
        (["hello"], "the label 'hello', which is not a synset"),
        (["ImageId,PredictionString", "ILSVRC2012_val_00000001,"], "the label '', which is not a synset"),
        (["ImageId,PredictionString", "ILSVRC2012_val_00000001"], "the label '', which is not a synset"),
        ([""], "is empty"),
    ],
)
def test_label_files_that_do_not_fit_say_so(flat, tmp_path, lines, message):
    with pytest.raises(SourceError, match=message):
        len(ImageNet(str(flat), labels_file=written(tmp_path / "labels", *lines)))


def test_files_that_cannot_be_read_say_so(flat, folders, tmp_path):
    (tmp_path / "noise").write_bytes(b"\xff\xfe\x00\x81")
    (tmp_path / "noise.mat").write_bytes(b"not a matlab file at all, but long enough to have a header" * 9)
    savemat(tmp_path / "other.mat", {"something": 1})
    for name, message in [("gone", "there is no file of synsets"), ("noise", "is not text in UTF-8")]:
        with pytest.raises(SourceError, match=message):
            len(ImageNet(str(flat), labels_file=str(tmp_path / name)))
    for name, message in [
        ("gone.mat", r"there is no .*gone\.mat.* Give the meta\.mat"),
        ("noise.mat", "no MATLAB file with usable synsets"),
        ("other.mat", "no MATLAB file with usable synsets"),
    ]:
        with pytest.raises(SourceError, match=message):
            len(ImageNet(str(folders), classes_file=str(tmp_path / name)))


def test_folders_that_do_not_fit_say_what_to_do(flat, folders, tmp_path):
    with pytest.raises(SourceError, match=r"It holds train, val: give the folder of one part"):
        len(ImageNet(str(tmp_path)))
    with pytest.raises(SourceError, match=r"has 4 images without class folders, and labels_file is empty"):
        len(ImageNet(str(flat)))
    with pytest.raises(SourceError, match=r"has class folders, which give the labels"):
        len(ImageNet(str(folders), labels_file="labels.txt"))
    with pytest.raises(SourceError, match=r"1 of the 2 synsets asked for have no image in .*n99999999"):
        len(ImageNet(str(folders), only=(FISH, "n99999999")))
    with pytest.raises(SourceError, match=r"has no name for 2 synsets"):
        len(ImageNet(str(folders), classes_file=written(tmp_path / "words", f"{FISH} tench")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": ""}, "needs path"),
        ({"path": "x", "only": (FISH,), "only_from": "y"}, "both only and only_from"),
        ({"path": "x", "only": ("tench",)}, "'tench' in only, which is not a synset"),
        ({"path": "x", "only": (FISH, FISH)}, "more than once"),
    ],
)
def test_options_are_checked_without_the_disk(options, message):
    with pytest.raises(ConfigError, match=message):
        ImageNet(**options)
