import torch

from occbench.analyse.difference_vectors import PairedVectors, paired_vectors


def test_forty_images_under_three_patterns_have_the_papers_117_pseudo_vectors_each():
    clean = torch.arange(40.0)[:, None]
    paired = PairedVectors(
        torch.zeros(40, dtype=torch.int64), clean, clean[:, None] + torch.tensor([[1.0], [2.0], [3.0]])
    )
    assert paired.pseudo(7).shape == (117, 1)


def test_a_pseudo_vector_is_the_clean_one_plus_beta_times_the_difference_of_another_image():
    clean = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 5.0]])
    occluded = torch.tensor([[[9.0, 9.0]], [[1.0, 3.0]], [[1.0, 5.0]]])
    paired = PairedVectors(torch.tensor([0, 1, 1]), clean, occluded)
    assert paired.differences.tolist() == [[[9.0, 9.0]], [[0.0, 2.0]], [[-1.0, 0.0]]]
    assert paired.pseudo(0, beta=0.5).tolist() == [[0.0, 1.0], [-0.5, 0.0]]


def test_vectors_of_a_run_are_those_of_its_images_and_of_their_occluded_twins(opened):
    conditions = opened.conditions("20c")
    images = opened.draw([0, 3], 2, 0, held_out=True)
    paired = paired_vectors(opened, images, conditions)
    assert paired.labels.tolist() == [0, 0, 3, 3]
    assert paired.occluded.shape == (4, len(conditions), paired.clean.shape[1])
    pixels, _ = opened.materials.renderer.render(images.examples[2], conditions[1])
    alone = opened.vectors(torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous())[0]
    assert (paired.occluded[2, 1] - alone).abs().max() < 1e-6
    assert (paired.clean[2] - alone).abs().max() > 1e-4
