import pytest
import torch

from occbench.analyse.decoder_data import Decodable, decodable, shrink
from occbench.core.errors import DatasetError


def test_guesses_are_means_over_images_and_over_conditions():
    images = torch.zeros(2, 2, 3, 1, 1, dtype=torch.uint8)
    images[0, 0], images[1, 0], images[0, 1], images[1, 1] = 0, 255, 255, 255
    data = Decodable(torch.zeros(2, 2, 4), images)
    assert data.mean_by_condition[:, 0, 0, 0].tolist() == [0.5, 1.0]
    assert data.mean_image[0, 0, 0] == 0.75


def test_shrinking_keeps_flat_colours_and_leaves_images_of_that_size_alone():
    flat = torch.full((1, 3, 32, 32), 77, dtype=torch.uint8)
    assert (shrink(flat, 16) == 77).all()
    assert shrink(flat, 32) is flat


def test_it_holds_vectors_and_images_clean_first_and_is_read_back(opened, tmp_path):
    conditions, kept = opened.conditions("20c"), tmp_path / "kept" / "vectors.safetensors"
    images = opened.draw([0, 1], 2, 0, held_out=True)
    made = decodable(opened, images, conditions, 32, kept)
    assert made.vectors.shape[:2] == made.images.shape[:2] == (4, 1 + len(conditions))
    assert torch.equal(made.images[1, 0], images.images[1:2][0])
    pixels, _ = opened.materials.renderer.render(images.examples[3], conditions[1])
    assert torch.equal(made.images[3, 2], torch.from_numpy(pixels).permute(2, 0, 1))
    before = kept.stat().st_mtime_ns
    again = decodable(opened, images, conditions, 32, kept)
    assert torch.equal(again.vectors, made.vectors)
    assert torch.equal(again.images, made.images)
    assert kept.stat().st_mtime_ns == before


def test_what_was_kept_of_other_images_or_damaged_is_refused(opened, tmp_path):
    conditions, kept = opened.conditions("20c"), tmp_path / "vectors.safetensors"
    decodable(opened, opened.draw([0], 2, 0, held_out=True), conditions, 16, kept)
    with pytest.raises(DatasetError, match="made from another run, other images"):
        decodable(opened, opened.draw([1], 2, 0, held_out=True), conditions, 16, kept)
    kept.write_bytes(b"no tensors")
    with pytest.raises(DatasetError, match="damaged"):
        decodable(opened, opened.draw([0], 2, 0, held_out=True), conditions, 16, kept)
