"""Run lengths are COCO's: what we write, pycocotools reads, and its numpy warning stays inside."""

import numpy as np
import pytest
from pycocotools import mask as codec

from occbench.core.rle import decode_runs, encode_runs, rasterise
from occbench.core.seeding import stream

MASK = stream(0, "mask").uniforms(13, 29) < 0.4


def test_run_lengths_survive_and_know_their_area():
    runs = {"size": [13, 29], "counts": encode_runs(MASK)}
    assert np.array_equal(decode_runs(runs), MASK)
    assert int(codec.area({**runs, "counts": runs["counts"].encode()})) == MASK.sum()


def test_text_and_bytes_mean_the_same():
    text = encode_runs(MASK)
    one, other = (decode_runs({"size": [13, 29], "counts": counts}) for counts in (text, text.encode()))
    assert one.dtype == np.uint8
    assert np.array_equal(one, other)


def test_run_lengths_in_every_form_rasterise_to_the_mask():
    for seed in range(40):
        draws = stream(seed, "mask")
        height, width = 1 + draws.integer(0, 60), 1 + draws.integer(0, 60)
        mask = draws.uniforms(height, width) < draws.uniform()
        text = encode_runs(mask)
        flat = np.concatenate([[False], mask.ravel(order="F"), [not mask[-1, -1]]])
        plain = np.diff(np.flatnonzero(np.diff(flat)), prepend=0).tolist()
        for counts in (text, text.encode(), plain):
            found = rasterise([{"size": [height, width], "counts": counts}], height, width)
            assert found.dtype == np.bool_
            assert np.array_equal(found, mask)


def test_segmentations_of_all_kinds_are_united():
    polygons = [[1, 1, 5, 1, 5, 5, 1, 5], [20, 2, 24, 2, 24, 4, 20, 4]]
    runs = {"size": [13, 29], "counts": encode_runs(MASK)}
    expected = MASK.copy()
    expected[1:5, 1:5] = expected[2:4, 20:24] = True
    assert np.array_equal(rasterise([polygons, runs], 13, 29), expected)
    assert not rasterise([], 13, 29).any()


def test_a_polygon_may_reach_out_of_the_image():
    assert np.array_equal(
        rasterise([[[-5, -5, 3, -5, 3, 2, -5, 2]]], 4, 6), np.pad(np.ones((2, 3), bool), ((0, 2), (0, 3)))
    )


@pytest.mark.parametrize(
    "counts", ["", "0", "zzzz~~~", "é", "o", [9, 4], [9, 4, 100], [-3, 75], [], encode_runs(MASK)[:-1]]
)
def test_run_lengths_that_do_not_fill_the_image_are_refused(counts):
    with pytest.raises(ValueError, match="run lengths"):
        rasterise([{"size": [8, 9], "counts": counts}], 8, 9)
