"""Boxes of whole pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occbench.core.boxes import box_of_mask, whole_box


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_the_box_of_a_mask_holds_all_of_it_and_touches_it_on_every_side(height, width, data):
    pixels = data.draw(st.lists(st.tuples(st.integers(0, height - 1), st.integers(0, width - 1)), min_size=1))
    mask = np.zeros((height, width), dtype=np.bool_)
    mask[tuple(zip(*pixels, strict=True))] = True
    x0, y0, x1, y1 = box_of_mask(mask)
    inside = mask[y0:y1, x0:x1]
    assert inside.sum() == mask.sum()
    assert all(side.any() for side in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))


@pytest.mark.parametrize(
    ("box", "whole"),
    [
        ((2.0, 3.0, 5.0, 7.0), (2, 3, 5, 7)),
        ((2.2, 3.9, 5.1, 7.0), (2, 3, 6, 7)),
        ((-4.5, -0.1, 30.0, 30.0), (0, 0, 20, 10)),
        ((25.0, 2.0, 30.0, 5.0), (25, 2, 20, 5)),
    ],
)
def test_a_whole_box_holds_the_box_and_ends_at_the_border(box, whole):
    assert whole_box(box, 10, 20) == whole
