"""Image files that options name: which files of a folder count, and one clear line where one is no image."""

import numpy as np
import pytest
from PIL import Image

from occbench.core.errors import ConfigError
from occbench.occlusions.image_files import image_files, read_pixels


def test_the_images_of_a_folder_are_taken_by_name_and_all_else_is_passed_over(tmp_path):
    for name in ("b.png", "a.jpg", "c.GIF"):
        Image.new("RGB", (5, 4), (1, 2, 3)).save(tmp_path / name)
    (tmp_path / "LICENSE").write_text("terms")
    (tmp_path / ".c.png").write_bytes(b"left by a file manager")
    files = image_files(tmp_path, "textures")
    assert [path.name for path in files] == ["a.jpg", "b.png", "c.GIF"]
    assert np.array_equal(read_pixels(files[1], "RGB"), np.full((4, 5, 3), (1, 2, 3)))
    assert read_pixels(files[1], "L").shape == (4, 5)


def test_folders_and_files_that_do_not_fit_are_named_with_their_option(tmp_path):
    with pytest.raises(ConfigError, match=r"textures .*gone is not a folder"):
        image_files(tmp_path / "gone", "textures")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ConfigError, match=r"mask_folder .* has no image file"):
        image_files(tmp_path, "mask_folder")
    for name, data in (("b.png", b"broken"), ("c.png", b"\x89PNG\r\n\x1a\n\x00\x00")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ConfigError, match=rf"{name} cannot be read as an image .*: replace or remove it") as caught:
            read_pixels(tmp_path / name, "L")
        assert "\n" not in str(caught.value)
