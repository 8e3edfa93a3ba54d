"""A folder per class: order, names, keys and what is said about folders that do not fit."""

import pytest
from PIL import Image

from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.core.types import KEY_PATTERN
from occbench.sources.image_folder import ImageFolder


def paint(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4), (value, value, value)).save(path)


def test_classes_ignore_case_and_labels_follow_them(tmp_path):
    for value, name in enumerate(["zebra", "Bear", "apple"]):
        paint(tmp_path / name / "1.png", value)
    source = ImageFolder(str(tmp_path))
    assert source.classes == ("apple", "Bear", "zebra")
    assert [(source.key(i), source[i].labels, source[i].image[0, 0, 0]) for i in range(3)] == [
        ("apple-1", (0,), 2),
        ("bear-1", (1,), 1),
        ("zebra-1", (2,), 0),
    ]


def test_nested_images_count_hidden_ones_and_others_do_not(tmp_path):
    paint(tmp_path / "cat" / "2024" / "may" / "1.png")
    paint(tmp_path / "cat" / ".thumbnails" / "1.png")
    paint(tmp_path / ".cache" / "1.png")
    (tmp_path / "cat" / "notes.txt").touch()
    source = ImageFolder(str(tmp_path))
    assert [source.key(i) for i in range(len(source))] == ["cat-2024-may-1"]


def test_unicode_and_spaces_in_names(tmp_path):
    paint(tmp_path / "grüne Äpfel" / "bild 1 (kopie).png", 9)
    paint(tmp_path / "猫" / "写真.png", 8)
    source = ImageFolder(str(tmp_path))
    assert source.classes == ("grüne Äpfel", "猫")
    assert all(KEY_PATTERN.fullmatch(source.key(i)) for i in range(2))
    assert [int(source[i].image.max()) for i in range(2)] == [9, 8]


def test_files_with_one_slug_get_different_keys_that_stay(tmp_path):
    for name in ("a b.png", "a-b.png", "a_b.png", "a-b.bmp"):
        paint(tmp_path / "cat" / name)
    keys = [ImageFolder(str(tmp_path)).key(i) for i in range(4)]
    assert len(set(keys)) == 4
    assert "cat-a_b" in keys
    paint(tmp_path / "bee" / "x.png")
    assert [ImageFolder(str(tmp_path)).key(i) for i in range(1, 5)] == keys


def test_only_takes_some_classes_in_class_order(tmp_path):
    for name in "abc":
        paint(tmp_path / name / "1.png")
    assert ImageFolder(str(tmp_path), only=("c", "a")).classes == ("a", "c")


def test_a_broken_image_counts_and_says_which_file(tmp_path):
    paint(tmp_path / "cat" / "1.png")
    (tmp_path / "cat" / "2.jpg").write_bytes(b"hello")
    source = ImageFolder(str(tmp_path))
    assert len(source) == 2
    assert source[0].image.shape == (4, 6, 3)
    with pytest.raises(BrokenImageError, match=r"^cat/2\.jpg: not a PNG"):
        source[1]


def test_the_path_may_start_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    paint(tmp_path / "photos" / "cat" / "1.png")
    assert len(ImageFolder("~/photos")) == 1


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["1.png", "2.png"], "has 2 images but no class folders. Put the images of each class into a folder"),
        (["notes.txt"], "neither class folders nor images"),
        (["train/cat/1.png", "val/cat/1.png"], "holds train, val, which look like splits, not classes"),
        (["cat/1.png", "dog/notes.txt"], "dog has no image: no file ends in"),
    ],
)
def test_folders_that_do_not_fit_say_what_to_do(tmp_path, files, message):
    for name in files:
        paint(tmp_path / name) if name.endswith("png") else None
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(SourceError, match=message):
        len(ImageFolder(str(tmp_path)))


def test_a_missing_folder_and_a_missing_class_say_so(tmp_path):
    with pytest.raises(SourceError, match=r"there is no folder .*gone"):
        len(ImageFolder(str(tmp_path / "gone")))
    paint(tmp_path / "cat" / "1.png")
    with pytest.raises(SourceError, match=r"only asks for dog, but .* has no such class folder. It has 1: cat\."):
        len(ImageFolder(str(tmp_path), only=("dog",)))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"path": ""}, "needs path"), ({"path": "x", "only": ("a", "b", "a")}, "found a more than once")],
)
def test_options_are_checked_without_the_disk(options, message):
    with pytest.raises(ConfigError, match=message):
        ImageFolder(**options)


def test_scanning_opens_no_image(tmp_path):
    for label in range(5):
        (tmp_path / f"class {label}").mkdir()
        for number in range(20):
            (tmp_path / f"class {label}" / f"{number}.jpg").touch()
    source = ImageFolder(str(tmp_path))
    assert len(source) == 100
    assert source.key(99) == "class-4-9"
    with pytest.raises(BrokenImageError, match="zero bytes"):
        source[99]


@pytest.fixture
def occluded(tmp_path):
    """Real photographs in a user's own folders: two of them show one class of the model."""
    for value, name in enumerate(["bus by a tree", "fox", "school bus 2"]):
        paint(tmp_path / "photos" / name / "1.png", value)
    (tmp_path / "classes.txt").write_text("ambulance\n\nkit fox, Vulpes macrotis\nschool bus\n")
    return tmp_path


def mapped(folder, text, name="map.txt", **options):
    (folder / name).write_text(text, encoding="utf-8")
    return ImageFolder(str(folder / "photos"), class_map=str(folder / name), **options)


MAP = "# folder\tclass\nbus by a tree\tschool bus\n\nfox\tkit fox, Vulpes macrotis\nschool bus 2\tschool bus\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("map.txt", MAP),
        ("map.csv", MAP.replace("\t", ",")),
        ("map.yaml", "bus by a tree: school bus\nfox: kit fox, Vulpes macrotis\nschool bus 2: school bus\n"),
        (
            "map.json",
            '{"bus by a tree": "school bus", "fox": "kit fox, Vulpes macrotis", "school bus 2": "school bus"}',
        ),
    ],
)
def test_a_class_map_gives_folders_the_classes_of_a_model(occluded, name, text):
    own = mapped(occluded, text, name)
    assert own.classes == ("kit fox, Vulpes macrotis", "school bus")
    assert [own.labels_of(index) for index in range(3)] == [(1,), (0,), (1,)]
    model = mapped(occluded, text, name, classes_file=str(occluded / "classes.txt"))
    assert model.classes == ("ambulance", "kit fox, Vulpes macrotis", "school bus")
    assert [model[index].labels for index in range(3)] == [(2,), (1,), (2,)]
    assert [model.key(index) for index in range(3)] == ["bus-by-a-tree-1", "fox-1", "school-bus-2-1"]


def test_a_class_map_may_name_more_folders_than_are_used(occluded):
    source = mapped(occluded, MAP, only=("fox",))
    assert (len(source), source.classes) == (1, ("kit fox, Vulpes macrotis",))


def test_the_fingerprint_sees_another_class_map(occluded):
    before = mapped(occluded, MAP).fingerprint
    assert mapped(occluded, MAP).fingerprint == before
    assert mapped(occluded, MAP.replace("fox\tkit fox, Vulpes macrotis", "fox\tschool bus")).fingerprint != before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fox\tkit fox\n", r"gives 2 of 3 folders no class, e\.g\. bus by a tree"),
        (f"{MAP}wolf\twolf\n", r"names the folder wolf, which is not there"),
        (f"{MAP}fox\twolf\n", r"gives the folder fox two classes, kit fox, Vulpes macrotis and wolf"),
        ("fox\n", r"line 1: expected a folder, a tab or comma, and a class, found 'fox'"),
        ("\n", "is empty"),
        (MAP.replace("kit fox", "fox"), r"names the class fox, Vulpes macrotis, which .*classes\.txt does not have"),
    ],
)
def test_class_maps_that_do_not_fit_say_what_to_do(occluded, text, message):
    with pytest.raises(SourceError, match=message) as caught:
        len(mapped(occluded, text, classes_file=str(occluded / "classes.txt")))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("map.yaml", "- fox\n- wolf\n", "is not a mapping of folders to classes"),
        ("map.yaml", "fox: [a, b]\n", "is not a mapping of folders to classes"),
        ("map.json", '{"fox": ', "cannot be read"),
    ],
)
def test_mappings_that_are_none_say_so(occluded, name, text, message):
    with pytest.raises(SourceError, match=message):
        len(mapped(occluded, text, name))


def test_class_lists_and_files_that_are_wrong_say_so(occluded):
    (occluded / "classes.txt").write_text("fox\nfox\n")
    with pytest.raises(SourceError, match="names the class fox more than once"):
        len(mapped(occluded, MAP, classes_file=str(occluded / "classes.txt")))
    with pytest.raises(SourceError, match=r"there is no list of classes .*gone\.txt"):
        len(mapped(occluded, MAP, classes_file=str(occluded / "gone.txt")))
    with pytest.raises(ConfigError, match="classes_file is for class_map"):
        ImageFolder("x", classes_file="classes.txt")
