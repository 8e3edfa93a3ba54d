"""Rows of images from memory, from files and from both: always what numpy's own indexing gives."""

import numpy as np
import pytest
import torch

from occbench.bench.images.pixel_rows import PixelRows
from occbench.core.seeding import stream


@pytest.fixture(scope="module")
def pixels():
    return stream(0, "pixels").integers(256, 11 * 6 * 6 * 3).astype(np.uint8).reshape(11, 6, 6, 3)


@pytest.fixture(params=["one array", "three arrays", "files", "files and memory"])
def rows(request, pixels, tmp_path):
    parts = [pixels] if request.param == "one array" else [pixels[:4], pixels[4:9], pixels[9:]]
    for number, part in enumerate(parts):
        if request.param == "files" or (request.param == "files and memory" and number < 2):
            np.save(tmp_path / f"{number}.npy", part)
            parts[number] = np.load(tmp_path / f"{number}.npy", mmap_mode="r")
    return PixelRows.of(*parts)


def expected(pixels, which):
    return torch.from_numpy(np.ascontiguousarray(pixels[which])).permute(0, 3, 1, 2)


@pytest.mark.parametrize("which", [slice(None), slice(0, 3), slice(2, 10), slice(9, 99), slice(5, 5), slice(8, 2)])
def test_slices(rows, pixels, which):
    found = rows[which]
    assert torch.equal(found, expected(pixels, which))
    assert not len(found) or found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("which", [[0], [10, 0, 4, 4, 3], list(range(10, -1, -1)), []])
def test_row_numbers_in_any_order(rows, pixels, which):
    found = rows[torch.tensor(which, dtype=torch.int64)]
    assert torch.equal(found, expected(pixels, np.array(which, dtype=np.int64)))


def test_one_image(rows, pixels):
    assert len(rows) == 11
    assert rows.shape == (11, 3, 6, 6)
    for row in range(11):
        assert np.array_equal(rows.image(row), pixels[row])
    for row in (-1, 11):
        with pytest.raises(IndexError, match="there are 11"):
            rows.image(row)


def test_a_slice_of_memory_is_no_copy(pixels):
    assert np.shares_memory(PixelRows.of(pixels)[2:5].numpy(), pixels)


def test_nothing_is_made_before_it_is_needed_nor_twice(pixels):
    made = []

    def make():
        made.append(1)
        return (pixels,)

    rows = PixelRows(11, make)
    both = rows.joined(rows)
    assert (len(rows), len(both), made) == (11, 22, [])
    assert torch.equal(both[11:], rows[:])
    assert made == [1]
