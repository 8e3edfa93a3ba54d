"""Stored rows are found by image and condition, however many row groups an image's rows take."""

import pytest

from occbench.core.errors import DatasetError
from occbench.data import shards
from occbench.data.manifest import read_manifest
from occbench.data.occluded import OccludedRows, occluded_index
from occbench.generate.run import generate


@pytest.mark.parametrize("groups_bytes", [None, 3 * 48**2 * 3], ids=["one group an image", "three groups an image"])
def test_a_row_is_the_same_alone_and_among_its_image_s(tmp_path, tiny_recipe, tiny_images, monkeypatch, groups_bytes):
    if groups_bytes is not None:
        monkeypatch.setattr(shards, "_GROUP_BYTES", groups_bytes)
    generate(tiny_recipe(layout="materialised"), tmp_path / "out", source_path=str(tiny_images), limit=5)
    manifest = read_manifest(tmp_path / "out")
    stored = OccludedRows(tmp_path / "out", manifest)
    names = [condition.name for condition in manifest.recipe.conditions()]
    for position in range(5):
        together = list(stored.rows(position))
        assert [row["condition"] for row in together] == names
        assert together == [stored.row(position, number) for number in range(8)]


def test_shards_that_do_not_fit_the_manifest_are_refused(finished):
    directory = finished(layout="materialised")
    manifest = read_manifest(directory)
    assert len(occluded_index(directory, manifest)) == 12
    with pytest.raises(DatasetError, match="have not the rows of its images"):
        OccludedRows(directory, manifest.model_copy(update={"images": 13}))
