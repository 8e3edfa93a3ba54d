"""Hugging Face datasets from local Parquet and save_to_disk folders: columns, labels and broken rows."""

import datasets
import numpy as np
import pytest

from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.sources.hub import Hub


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep what load_dataset prepares out of the user's cache."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def pictures(count):
    return [np.full((4, 6, 3), value, dtype=np.uint8) for value in range(count)]


def table(label_feature, labels, images=None, **columns):
    features = datasets.Features({"image": datasets.Image(), "label": label_feature})
    made = datasets.Dataset.from_dict({"image": images or pictures(len(labels)), "label": labels}, features=features)
    for name, values in columns.items():
        made = made.add_column(name, values)
    return made


def as_parquet(made, folder, split="train"):
    folder.mkdir(exist_ok=True)
    made.to_parquet(folder / f"{split}-00000-of-00001.parquet")
    return str(folder)


def as_saved(made, folder):
    datasets.DatasetDict({"train": made}).save_to_disk(folder)
    return str(folder)


def as_saved_alone(made, folder):
    made.save_to_disk(folder)
    return str(folder)


NAMED = datasets.ClassLabel(names=["cat", "dog", "eel"])


@pytest.mark.parametrize("store", [as_parquet, as_saved, as_saved_alone])
def test_local_folders_give_images_labels_and_names(tmp_path, store):
    source = Hub(store(table(NAMED, [2, 0]), tmp_path / "data"))
    assert source.classes == ("cat", "dog", "eel")
    assert not source.multi_label
    assert len(source) == 2
    for index, label in enumerate([2, 0]):
        example = source[index]
        assert example.key == source.key(index) == f"train-0000000{index}"
        assert example.labels == (label,)
        np.testing.assert_array_equal(example.image, pictures(2)[index])


def test_a_folder_of_images_as_load_dataset_takes_it(tmp_path):
    from PIL import Image

    for value, name in enumerate(["dog", "cat"]):
        (tmp_path / "data" / "test" / name).mkdir(parents=True)
        Image.fromarray(pictures(2)[value]).save(tmp_path / "data" / "test" / name / "1.png")
    source = Hub(str(tmp_path / "data"), split="test")
    assert source.classes == ("cat", "dog")
    assert {int(source[i].image[0, 0, 0]): source[i].labels for i in range(2)} == {0: (1,), 1: (0,)}
    assert source.key(1) == "test-00000001"


@pytest.mark.parametrize(
    ("feature", "labels", "classes", "expected"),
    [
        (datasets.Value("int64"), [3, 1], ("0", "1", "2", "3"), [(3,), (1,)]),
        (datasets.Value("string"), ["dog", "cat"], ("cat", "dog"), [(1,), (0,)]),
        (datasets.List(NAMED), [[2, 0], []], ("cat", "dog", "eel"), [(0, 2), ()]),
        (datasets.List(datasets.Value("int64")), [[1, 1], [0]], ("0", "1"), [(1,), (0,)]),
        (datasets.List(datasets.Value("string")), [["b", "a"], ["b"]], ("a", "b"), [(0, 1), (1,)]),
    ],
)
def test_label_types(tmp_path, feature, labels, classes, expected):
    source = Hub(as_parquet(table(feature, labels), tmp_path / "data"))
    assert source.classes == classes
    assert [source[i].labels for i in range(2)] == expected
    assert source.multi_label == isinstance(labels[0], list)


MANY = datasets.List(NAMED)


def with_ignored(folder, ignored, column="ignored", labels=((0,), (1, 2)), feature=MANY):
    made = table(feature, [list(own) for own in labels])
    made = made.add_column(column, ignored).cast_column(column, feature)
    return as_parquet(made, folder)


def test_ignored_classes_are_read_where_there_are_some(tmp_path):
    source = Hub(with_ignored(tmp_path / "a", [[2, 1], [0]]))
    assert [source.labels_of(index) for index in range(2)] == [(0,), (1, 2)]
    assert [source.ignored_of(index) for index in range(2)] == [source[i].ignored for i in range(2)] == [(1, 2), (0,)]
    other = Hub(with_ignored(tmp_path / "b", [[2, 1], []]))
    assert other.fingerprint != source.fingerprint
    named = Hub(
        with_ignored(tmp_path / "c", [[1], []], "unspecified"), label_column="label", ignored_column="unspecified"
    )
    assert named.ignored_of(0) == (1,)
    assert Hub(with_ignored(tmp_path / "d", [[0, 1], [1]])).ignored_of(0) == (1,), "what is a label is not ignored"
    words = datasets.List(datasets.Value("string"))
    text = Hub(with_ignored(tmp_path / "e", [["b"], []], labels=(("a",), ("b",)), feature=words), label_column="label")
    assert text.ignored_of(0) == (1,)
    with pytest.raises(IndexError):
        source.ignored_of(2)


def test_an_ignored_column_that_is_none_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"no column 'label' of lists like 'label'"):
        len(Hub(as_parquet(table(MANY, [[0], [1]]), tmp_path / "a"), ignored_column="label"))
    words = datasets.List(datasets.Value("string"))
    strange = with_ignored(tmp_path / "b", [["zebra"], []], labels=(("a",), ("b",)), feature=words)
    with pytest.raises(SourceError, match=r"the column 'ignored' has 'zebra', which is no class"):
        Hub(strange, label_column="label").ignored_of(0)


def test_rows_without_label_or_image_are_broken_and_the_others_work(tmp_path):
    features = datasets.Features({"image": datasets.Image(), "label": NAMED})
    image = {"bytes": table(NAMED, [0]).cast_column("image", datasets.Image(decode=False))[0]["image"]["bytes"]}
    images = [image, image, None, {"bytes": b"hello"}, {"bytes": image["bytes"][:40]}, image]
    made = datasets.Dataset.from_dict({"image": images, "label": [-1, None, 0, 1, 2, 1]}, features=features)
    source = Hub(as_parquet(made, tmp_path / "data"))
    assert len(source) == 6
    assert source[5].labels == (1,)
    for index, message in enumerate(
        ["the row has no label", "the row has no label", "the row has no image", "not a PNG", "truncated: |damaged: "]
    ):
        with pytest.raises(BrokenImageError, match=f"^train-0000000{index}: ({message})"):
            source[index]


def test_the_fingerprint_sees_images_labels_and_names(tmp_path):
    made = [
        table(NAMED, [0, 1]),
        table(NAMED, [0, 2]),
        table(NAMED, [0, 1, 1]),
        table(datasets.ClassLabel(names=["cat", "dog", "elk"]), [0, 1]),
        table(NAMED, [0, 1], images=[np.zeros((9, 9, 3), dtype=np.uint8)] * 2),
    ]
    paths = [as_parquet(rows, tmp_path / str(number)) for number, rows in enumerate(made)]
    assert len({Hub(path).fingerprint for path in paths}) == len(made)
    assert Hub(paths[0]).fingerprint == Hub(paths[0]).fingerprint
    assert Hub(as_saved(made[0], tmp_path / "saved")).fingerprint == Hub(paths[0]).fingerprint


def test_columns_are_found_or_asked_for(tmp_path):
    made = table(NAMED, [0, 1], count=[5, 6], caption=["x", "y"])
    path = as_parquet(made, tmp_path / "data")
    assert Hub(path).classes == ("cat", "dog", "eel")
    assert Hub(path, label_column="caption").classes == ("x", "y")
    assert Hub(path, image_column="image", label_column="label")[1].labels == (1,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_column": "photo"}, r"no image column 'photo'\. The columns are image \(.*\), label \(int64\)"),
        ({"image_column": "label"}, "no image column 'label'"),
        ({"label_column": "klass"}, "no column 'klass' of class labels.*The columns are"),
        ({"label_column": "image"}, "no column 'image' of class labels"),
        ({"split": "test"}, "the split 'test' of .* cannot be opened: .* Check path, config and split"),
        ({"config": "other"}, "cannot be opened: .*other"),
    ],
)
def test_what_is_not_there_is_named(tmp_path, options, message):
    path = as_parquet(table(NAMED, [0, 1]), tmp_path / "data")
    with pytest.raises(SourceError, match=message) as caught:
        len(Hub(path, **options))
    assert "\n" not in str(caught.value)


def test_ambiguous_columns_are_named(tmp_path):
    made = table(NAMED, [0, 1]).rename_column("label", "kind").add_column("size", [1, 2])
    made = made.cast_column("kind", datasets.Value("int64"))
    with pytest.raises(SourceError, match="cannot be told apart; name them as label_column"):
        len(Hub(as_parquet(made, tmp_path / "labels")))
    two = datasets.concatenate_datasets(
        [table(NAMED, [0, 1]), table(NAMED, [0, 1]).select_columns(["image"]).rename_column("image", "depth")], axis=1
    )
    with pytest.raises(SourceError, match=r"2 image columns \(image, depth\); name one as image_column"):
        len(Hub(as_parquet(two, tmp_path / "images")))
    with pytest.raises(SourceError, match="no image column; name one"):
        len(Hub(as_parquet(two.select_columns(["label"]), tmp_path / "none")))


@pytest.mark.parametrize(
    ("feature", "labels", "message"),
    [
        (NAMED, [-1, -1], "no row has a label in the column 'label'"),
        (datasets.Value("int64"), [-7, 2], "has the values -7 to 2, class indices are"),
        (datasets.Value("int64"), [1, 10**9], "class indices are 0 to 999999"),
    ],
)
def test_columns_that_hold_no_class_indices_are_refused(tmp_path, feature, labels, message):
    with pytest.raises(SourceError, match=message):
        len(Hub(as_parquet(table(feature, labels), tmp_path / "data")))


def test_a_saved_folder_without_the_split_says_which_it_has(tmp_path):
    path = as_saved(table(NAMED, [0, 1]), tmp_path / "saved")
    with pytest.raises(SourceError, match=r"no split 'test'\. It has train: give one of them as split"):
        len(Hub(path, split="test"))
    (tmp_path / "saved" / "train" / "state.json").write_text("{")
    with pytest.raises(SourceError, match=r"cannot be opened: .* Save the dataset again"):
        len(Hub(path))


@pytest.mark.parametrize("path", ["nobody-of-that-name/nothing", "a/b/c", "folder that is not there"])
def test_a_repository_that_cannot_be_reached_gives_one_line(path):
    with pytest.raises(SourceError, match=f"the split 'train' of {path} cannot be opened: ") as caught:
        len(Hub(path))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("that the network or the local cache has it.")


def test_terms_are_the_dataset_licence(tmp_path):
    made = table(NAMED, [0, 1])
    assert Hub(as_saved(made, tmp_path / "plain")).terms.startswith("unknown: see the dataset card of")
    made.info.license = "cc-by-4.0"
    assert Hub(as_saved(made, tmp_path / "stated")).terms == "cc-by-4.0"


@pytest.mark.parametrize("options", [{"path": ""}, {"path": "x", "split": ""}])
def test_options_are_checked_without_the_disk(options):
    with pytest.raises(ConfigError, match="hub needs"):
        Hub(**options)
