"""Oxford 102 flowers: labels from the MATLAB file, official splits, names, and what a download leaves behind."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from occbench.core.errors import ConfigError, SourceError
from occbench.sources.oxford102 import Oxford102

NUMBERS = [77, 5, 102, 1, 5]


@pytest.fixture
def flowers(tmp_path):
    (tmp_path / "jpg").mkdir()
    for number in range(1, len(NUMBERS) + 1):
        Image.new("RGB", (5, 4), (10 * number, 0, 0)).save(tmp_path / "jpg" / f"image_{number:05d}.jpg")
    savemat(tmp_path / "imagelabels.mat", {"labels": np.array([NUMBERS], dtype=np.uint8)})
    parts = {"trnid": [[2, 5]], "valid": [[1]], "tstid": [[3, 4]]}
    savemat(tmp_path / "setid.mat", {name: np.array(ids, dtype=np.uint16) for name, ids in parts.items()})
    return tmp_path


def test_label_i_is_the_published_class_i_plus_1(flowers):
    source = Oxford102(str(flowers))
    assert source.classes == tuple(str(number) for number in range(1, 103))
    assert [source.classes[source.labels_of(index)[0]] for index in range(5)] == [str(number) for number in NUMBERS]
    assert [source.key(index) for index in (0, 4)] == ["image_00001", "image_00005"]
    assert abs(int(source[2].image[0, 0, 0]) - 30) < 4


def test_official_splits_are_disjoint_and_together_everything(flowers):
    keys = {
        split: {source.key(index) for index in range(len(source))}
        for split in ("all", "train", "validation", "test")
        for source in [Oxford102(str(flowers), split=split)]
    }
    assert keys["train"] == {"image_00002", "image_00005"}
    assert keys["train"] | keys["validation"] | keys["test"] == keys["all"]
    assert sum(map(len, keys.values())) == 2 * len(keys["all"])


def test_the_official_splits_file_is_not_needed_for_all_images(flowers):
    (flowers / "setid.mat").unlink()
    assert len(Oxford102(str(flowers))) == 5
    with pytest.raises(SourceError, match=r"there is no .*setid\.mat"):
        len(Oxford102(str(flowers), split="train"))


def test_names_come_from_a_file(flowers):
    names = flowers / "names.txt"
    names.write_text("\n".join(f"flower {number}" for number in range(1, 103)) + "\n")
    assert Oxford102(str(flowers), classes_file=str(names)).classes[76] == "flower 77"
    names.write_text("rose\n")
    with pytest.raises(SourceError, match="has 1 names, needed are 102"):
        _ = Oxford102(str(flowers), classes_file=str(names)).classes
    names.write_text("rose\n" * 102)
    with pytest.raises(SourceError, match="names the class rose more than once"):
        _ = Oxford102(str(flowers), classes_file=str(names)).classes


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda root: (root / "imagelabels.mat").unlink(), r"there is no .*imagelabels\.mat"),
        (lambda root: (root / "imagelabels.mat").write_text("no"), "is no MATLAB file with usable labels"),
        (lambda root: savemat(root / "imagelabels.mat", {"other": [1]}), "is no MATLAB file with usable labels"),
        (lambda root: savemat(root / "imagelabels.mat", {"labels": [0, 1, 2, 3, 4]}), "labels other than 1 to 102"),
        (lambda root: savemat(root / "imagelabels.mat", {"labels": [1, 2]}), r"image_00003\.jpg is none of the 2"),
        (lambda root: (root / "jpg" / "image_00001.jpg").rename(root / "jpg" / "rose.jpg"), r"rose\.jpg is none of"),
        (lambda root: (root / "jpg").rename(root / "JPEG"), "there is no folder"),
    ],
)
def test_what_does_not_fit_is_named(flowers, damage, complaint):
    damage(flowers)
    with pytest.raises(SourceError, match=complaint):
        len(Oxford102(str(flowers)))


def test_options_are_checked():
    with pytest.raises(ConfigError, match="needs path"):
        Oxford102("")
