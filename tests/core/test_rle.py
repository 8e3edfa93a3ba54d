"""Run lengths are COCO's: what we write, pycocotools reads, and its numpy warning stays inside."""

import numpy as np
from pycocotools import mask as codec

from occbench.core.rle import decode_runs, encode_runs
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
