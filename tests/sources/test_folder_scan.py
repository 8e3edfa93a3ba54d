"""Scanning finds every image once, in an order and under keys that do not depend on the disk."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from occbench.core.errors import SourceError
from occbench.core.types import KEY_PATTERN
from occbench.sources.folder_scan import FoundFile, class_order, fingerprint_files, folders_in, scan_images, unique_keys


def fill(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"12")


def test_images_at_any_depth_are_found_and_the_rest_left_out(tmp_path):
    fill(tmp_path, "b.PNG", "a/c.jpeg", "a/d/e.webp", "a/notes.txt", "README", ".hidden.jpg", ".git/f.jpg")
    found = scan_images(tmp_path)
    assert found == (FoundFile("a/c.jpeg", 2), FoundFile("a/d/e.webp", 2), FoundFile("b.PNG", 2))


def test_a_broken_link_is_listed_and_a_circle_of_links_ends(tmp_path):
    fill(tmp_path, "a/b.jpg")
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    assert [file.relative for file in scan_images(tmp_path)] == ["a/b.jpg", "gone.jpg"]


def test_a_link_to_a_folder_is_followed(tmp_path):
    fill(tmp_path, "elsewhere/b.jpg")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "cat").symlink_to(tmp_path / "elsewhere")
    assert [file.relative for file in scan_images(tmp_path / "root")] == ["cat/b.jpg"]


def test_folders_are_sorted_without_regard_to_case(tmp_path):
    for name in ("zebra", "Bear", "apple", ".cache", "bee"):
        (tmp_path / name).mkdir()
    fill(tmp_path, "file.jpg")
    assert folders_in(tmp_path) == ["apple", "Bear", "bee", "zebra"]


def test_names_that_differ_only_in_case_keep_one_order():
    assert class_order(["b", "A", "a", "B"]) == class_order(["B", "a", "A", "b"]) == ["A", "a", "B", "b"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("gone", "there is no folder"), ("file", "is a file, not a folder"), ("a\0b", "no folder can have the name")],
)
def test_what_is_no_folder_says_so(tmp_path, name, message):
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match=message):
        scan_images(tmp_path / name)


@given(
    st.lists(st.text(min_size=1, max_size=12).map(lambda text: text.encode("utf-8", "ignore").decode()), unique=True)
)
def test_keys_are_unique_well_formed_and_independent_of_order(names):
    names = [f"{name}.jpg" for name in names]
    keys = dict(zip(names, unique_keys(names), strict=True))
    assert len(set(keys.values())) == len(names)
    assert all(KEY_PATTERN.fullmatch(key) for key in keys.values())
    shuffled = random.Random(0).sample(names, len(names))
    assert dict(zip(shuffled, unique_keys(shuffled), strict=True)) == keys


def test_only_colliding_names_get_a_hash():
    plain, first, second = unique_keys(["cup/a.jpg", "cup/b 1.jpg", "cup/b-1.jpg"])
    assert plain == "cup-a"
    assert first.startswith("cup-b-1-")
    assert second.startswith("cup-b-1-")


def test_a_name_that_looks_like_a_hashed_key_stays_apart():
    pair = ["b 1.jpg", "b-1.jpg"]
    third = f"{unique_keys(pair)[0]}.jpg"
    assert len(set(unique_keys([*pair, third]))) == 3


def test_long_names_give_keys_that_fit_a_file_name():
    keys = unique_keys([f"{'x' * 240}{end}.jpg" for end in "ab"])
    assert len(set(keys)) == 2
    assert max(map(len, keys)) < 200


def test_the_fingerprint_sees_names_sizes_and_additions():
    files = [FoundFile("a.jpg", 1), FoundFile("b.jpg", 2)]
    others = [
        files[:1],
        [*files, FoundFile("c.jpg", 1)],
        [FoundFile("a.jpg", 3), files[1]],
        [FoundFile("A.jpg", 1), files[1]],
        [FoundFile("\udcff.jpg", 1), files[1]],
    ]
    found = {fingerprint_files(other) for other in [files, *others]}
    assert len(found) == 1 + len(others)
    assert fingerprint_files(list(files)) in found
