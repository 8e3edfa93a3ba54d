import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score

from occbench.analyse.difference_vectors import PairedVectors
from occbench.analyse.geometry import own_class_shares, own_pattern_share, silhouette_of
from occbench.core.errors import ConfigError
from occbench.core.seeding import stream


def test_the_silhouette_of_two_pairs_on_a_line_is_the_one_computed_by_hand():
    points, labels = np.array([[0.0], [1.0], [10.0], [11.0]]), np.array([0, 0, 1, 1])
    found = silhouette_of(points, labels, seed=0, shuffles=40)
    # the outer points: a = 1, b = 10.5; the inner ones: a = 1, b = 9.5
    expected = (9.5 / 10.5 + 8.5 / 9.5) / 2
    assert found.value == pytest.approx(expected)
    assert found.by_cluster == pytest.approx((expected, expected))


def test_clusters_stand_out_from_shuffled_labels_and_mixed_points_do_not():
    noise = stream(3, "points").uniforms(60, 4)
    labels = np.arange(60) % 3
    apart = silhouette_of(noise + 5 * labels[:, None], labels, 0, 50)
    mixed = silhouette_of(noise, labels, 0, 50)
    assert apart.value > 0.5 > apart.chance
    assert mixed.value < mixed.chance + 0.05
    assert apart.value == pytest.approx(silhouette_score(noise + 5 * labels[:, None], labels))


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 0, 0, 1]])
def test_a_single_cluster_or_point_has_no_silhouette(labels):
    with pytest.raises(ConfigError, match="2 clusters of 2 points"):
        silhouette_of(np.eye(4), np.array(labels), 0, 1)


def vectors(clean, occluded, labels):
    return PairedVectors(torch.tensor(labels), torch.tensor(clean), torch.tensor(occluded))


def test_nearest_centroid_shares_are_those_computed_by_hand():
    # class 0 at 0 and 2, class 1 at 10 and 14; without themselves the centroids are the other image of the class
    paired = vectors([[0.0], [2.0], [10.0], [14.0]], [[[1.0]], [[9.0]], [[11.0]], [[15.0]]], [0, 0, 1, 1])
    found = own_class_shares(paired)
    assert found.clean.value == 1.0
    # 9 is nearer to 12, the mean of class 1, than to 0, the only other of class 0
    assert found.occluded.value == 0.75
    # differences are 1, 7, 1, 1; pseudo vectors by the others' differences:
    # 0 -> 7, 1, 1 between 2 and 12: 7 is a tie and goes to the first; 2 -> 3, 3, 3 between 0 and 12: own;
    # 10 -> 11, 17, 11 between 1 and 14: own; 14 -> 15, 21, 15 between 1 and 10: own
    assert found.pseudo.value == 1.0
    assert found.pseudo_minus_occluded.value == 0.25
    # occluded centroids: 9 | 13, 1 | 13, 5 | 15, 5 | 11: of 1 (9 or 13), 9 (1 or 13), 11 (5 or 15), 15 (5 or 11)
    assert found.occluded_to_occluded.value == 0.75
    assert found.clean.n_images == 4


def test_beta_scales_the_difference_vectors():
    paired = vectors([[0.0], [1.0], [10.0], [11.0]], [[[6.0]], [[7.0]], [[16.0]], [[17.0]]], [0, 0, 1, 1])
    assert own_class_shares(paired, beta=0.0).pseudo.value == 1.0
    assert own_class_shares(paired, beta=1.0).pseudo.value == 0.5, "all of class 0 move beyond the middle"


def test_a_class_of_one_image_has_no_centroid_without_it():
    with pytest.raises(ConfigError, match="2 images a class"):
        own_class_shares(vectors([[0.0], [1.0], [2.0]], [[[0.0]], [[1.0]], [[2.0]]], [0, 0, 1]))


def test_the_share_nearest_the_own_pattern_is_the_one_counted_by_hand():
    # differences of the three images under two patterns: (1, 9), (2, 8), (6, 10)
    paired = vectors([[0.0], [0.0], [0.0]], [[[1.0], [9.0]], [[2.0], [8.0]], [[6.0], [10.0]]], [0, 0, 1])
    found = own_pattern_share(paired)
    # without the third image the centroids are 1.5 and 8.5: 6 is nearer to the other pattern's
    assert found.value == pytest.approx((1 + 1 + 0.5) / 3)
    with pytest.raises(ConfigError, match="found 2 and 1"):
        own_pattern_share(vectors([[0.0], [1.0]], [[[1.0]], [[2.0]]], [0, 0]))
