"""Test and pair columns of every family, those that show pixels of other images among them."""

import numpy as np

from occbench.bench.images.images import batches, render_batch


def test_columns_may_show_pixels_of_other_images(tiny_materials):
    replaced = [{"name": "part_replace"}]
    materials = tiny_materials(occlusions=replaced, pair_occlusions=replaced)
    test = materials.test
    (condition,) = materials.renderer.conditions
    (rows,) = batches(len(test), len(test))
    shown = render_batch(test, rows, condition, materials.renderer, "cpu").numpy()
    clean = np.stack([example.image.transpose(2, 0, 1) for example in test.examples])
    changed = (shown != clean).any(axis=1)
    inside = np.stack([np.logical_or.reduce(list(example.parts.values())) for example in test.examples])
    assert changed.any(axis=(1, 2)).all()
    assert not (changed & ~inside).any()
    assert len(materials.occluded_validation) == len(materials.validation)
    again = tiny_materials(occlusions=replaced, pair_occlusions=replaced, seeds=[0, 1])
    assert np.array_equal(render_batch(again.test, rows, condition, again.renderer, "cpu").numpy(), shown)
