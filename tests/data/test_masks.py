"""Masks survive being text: object and parts, empty and full, of any shape."""

import numpy as np
import pytest

from occbench.core.errors import DatasetError
from occbench.core.seeding import stream
from occbench.core.types import Example
from occbench.data.masks import decode_mask, encode_mask, pack_masks, unpack_masks

MASKS = {
    "empty": np.zeros((5, 7), dtype=bool),
    "full": np.ones((5, 7), dtype=bool),
    "one pixel": np.arange(63).reshape(9, 7) == 22,
    "noise": stream(0, "mask").uniforms(31, 18) < 0.5,
    "not contiguous": (stream(1, "mask").uniforms(20, 40) < 0.3)[::2, 1::3],
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_survives(name):
    text = encode_mask(MASKS[name])
    assert text.isascii()
    found = decode_mask(text)
    assert found.dtype == np.bool_
    assert np.array_equal(found, MASKS[name])


def test_object_and_parts_survive_together():
    example = Example(
        "x", np.zeros((5, 7, 3), np.uint8), (0,), MASKS["full"], {"wing": MASKS["empty"], "leg": MASKS["full"]}
    )
    packed = pack_masks(example)
    assert [item["name"] for item in packed] == ["", "leg", "wing"]
    object_mask, parts = unpack_masks(packed)
    assert np.array_equal(object_mask, MASKS["full"])
    assert {name: bool(mask.any()) for name, mask in parts.items()} == {"leg": True, "wing": False}


def test_no_masks_are_an_empty_list():
    assert pack_masks(Example("x", np.zeros((2, 2, 3), np.uint8), (0,))) == []
    assert unpack_masks([]) == (None, {})


@pytest.mark.parametrize("text", ["", "5x7", "5x7:", "axb:0", "x:1", "5x7:é"])
def test_other_text_is_refused(text):
    with pytest.raises(DatasetError, match="not run-length text"):
        decode_mask(text)
