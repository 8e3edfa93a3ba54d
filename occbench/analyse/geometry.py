"""How vectors lie in the deep feature space: clusters of difference vectors, and whose neighbours vectors are.

Everything is Euclidean, in the network's own space of D dimensions; no number is taken from a projection to the plane.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from occbench.analyse.difference_vectors import PairedVectors
from occbench.analyse.intervals import Estimate, over_images
from occbench.core.errors import ConfigError
from occbench.core.seeding import stream

__all__ = ["ClusterScore", "OwnClass", "own_class_shares", "own_pattern_share", "silhouette_of"]


@dataclass(frozen=True, slots=True)
class ClusterScore:
    """The mean silhouette of a labelling.

    Attributes:
        value: mean over points of (b - a) / max(a, b), in [-1, 1]: a the mean distance to the own cluster's other
            points, b that to the nearest other cluster.
        by_cluster: the mean over each cluster's points, in order of the labels.
        chance: the 95th percentile of ``value`` when the labels are shuffled.
    """

    value: float
    by_cluster: tuple[float, ...]
    chance: float


def silhouette_of(vectors: NDArray[np.floating], labels: NDArray[np.integer], seed: int, shuffles: int) -> ClusterScore:
    """Return the silhouette (Rousseeuw 1987; scikit-learn) of labelled vectors float[N, D].

    Args:
        vectors: the points.
        labels: int[N], two clusters or more of two points or more.
        seed: of the shuffles.
        shuffles: how many; each costs one pass over the N x N distances.

    Raises:
        ConfigError: a single cluster, or one of a single point.
    """
    from sklearn.metrics import pairwise_distances, silhouette_samples

    names, counts = np.unique(labels, return_counts=True)
    if len(names) < 2 or counts.min() < 2:
        raise ConfigError(f"a silhouette needs 2 clusters of 2 points each, found {counts.tolist()}: take more.")
    distances = pairwise_distances(vectors)
    np.fill_diagonal(distances, 0.0)  # what rounding leaves there is refused as no distance
    own = silhouette_samples(distances, labels, metric="precomputed")
    shuffled = [
        float(
            silhouette_samples(
                distances, labels[stream(seed, "shuffle", number).permutation(len(labels))], metric="precomputed"
            ).mean()
        )
        for number in range(shuffles)
    ]
    return ClusterScore(
        float(own.mean()),
        tuple(float(own[labels == name].mean()) for name in names),
        float(np.percentile(shuffled, 95)),
    )


@dataclass(frozen=True, slots=True)
class OwnClass:
    """Shares of vectors whose nearest reference is of their own class; each image counts alike.

    The references of image i are made without image i, so that nobody is his own neighbour.

    Attributes:
        clean: of clean vectors, to the class centroids of clean vectors.
        occluded: of real occluded vectors, to the same centroids.
        pseudo: of pseudo vectors, to the same centroids.
        pseudo_minus_occluded: the difference of the two, by image.
        occluded_to_occluded: of real occluded vectors, to the class centroids of real occluded ones.
        pseudo_to_occluded: of pseudo vectors, to the class centroids of real occluded ones.
    """

    clean: Estimate
    occluded: Estimate
    pseudo: Estimate
    pseudo_minus_occluded: Estimate
    occluded_to_occluded: Estimate
    pseudo_to_occluded: Estimate


def own_class_shares(paired: PairedVectors, beta: float = 1.0) -> OwnClass:
    """Return the nearest-centroid shares of clean, real occluded and pseudo vectors.

    Raises:
        ConfigError: a class with a single image, whose centroid would be empty without it.
    """
    labels = paired.labels.numpy()
    clean = paired.clean.double().numpy()
    occluded = paired.occluded.double().numpy()
    if np.unique(labels, return_counts=True)[1].min() < 2:
        raise ConfigError("a class centroid without the image itself needs 2 images a class: take more.")
    rows = []
    for image in range(len(labels)):
        pseudo = paired.pseudo(image, beta).double().numpy()
        by_clean = _centroids(clean, labels, image)
        by_occluded = _centroids(occluded.mean(axis=1), labels, image)
        own = labels[image]
        rows.append(
            [
                _share(clean[image : image + 1], by_clean, labels, own),
                _share(occluded[image], by_clean, labels, own),
                _share(pseudo, by_clean, labels, own),
                _share(occluded[image], by_occluded, labels, own),
                _share(pseudo, by_occluded, labels, own),
            ]
        )
    shares = np.asarray(rows)
    return OwnClass(
        clean=over_images(shares[:, 0]).as_share(),
        occluded=over_images(shares[:, 1]).as_share(),
        pseudo=over_images(shares[:, 2]).as_share(),
        pseudo_minus_occluded=over_images(shares[:, 2] - shares[:, 1]),
        occluded_to_occluded=over_images(shares[:, 3]).as_share(),
        pseudo_to_occluded=over_images(shares[:, 4]).as_share(),
    )


def own_pattern_share(paired: PairedVectors) -> Estimate:
    """Return the share of difference vectors nearest their own pattern's centroid, taken without the image itself.

    Raises:
        ConfigError: a single image or pattern.
    """
    differences = paired.differences.double().numpy()
    images, patterns, _ = differences.shape
    if images < 2 or patterns < 2:
        raise ConfigError(
            f"patterns are told apart by 2 images under 2 patterns or more, found {images} and {patterns}: take more."
        )
    total = differences.sum(axis=0)
    shares = []
    for own in differences:
        centroids = (total - own) / (images - 1)
        nearest = np.linalg.norm(own[:, None] - centroids[None], axis=2).argmin(axis=1)
        shares.append(np.mean(nearest == np.arange(patterns)))
    return over_images(np.asarray(shares)).as_share()


def _centroids(vectors: NDArray[np.float64], labels: NDArray[np.integer], without: int) -> NDArray[np.float64]:
    """Return float64[C, D]: every class's mean without one image, in order of the labels."""
    kept = np.arange(len(labels)) != without
    return np.stack([vectors[kept & (labels == name)].mean(axis=0) for name in np.unique(labels)])


def _share(
    vectors: NDArray[np.float64], centroids: NDArray[np.float64], labels: NDArray[np.integer], own: int
) -> float:
    distances = np.linalg.norm(vectors[:, None] - centroids[None], axis=2)
    return float(np.mean(np.unique(labels)[distances.argmin(axis=1)] == own))
