"""Figures 2, 3 and S1 of Cen et al.: deep feature vectors, difference vectors and pseudo vectors in the plane.

The picture is t-SNE's (van der Maaten and Hinton 2008), which keeps neighbours and nothing else: sizes of and distances
between clusters mean nothing in it. What is claimed of the picture is therefore measured in the original space.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from occbench.analyse.difference_vectors import PairedVectors
from occbench.analyse.geometry import ClusterScore, silhouette_of
from occbench.core.errors import ConfigError
from occbench.core.seeding import stream

__all__ = ["EmbeddingRequest", "chosen_classes", "embed", "pattern_silhouettes"]


@dataclass(frozen=True)
class EmbeddingRequest:
    """What to draw.

    Attributes:
        classes: names; empty draws ``class_count`` of them.
        class_count: how many classes to draw by seed.
        images: clean images of each class.
        group: condition group of the occluded twins: one pattern for each occluder.
        beta: factor of the difference vectors in pseudo vectors.
        held_out: test images instead of training images.
        all_classes: images of every class in figure S1, from the training images; 0 leaves the figure out.
        seed: names every draw: classes, images, shuffles, the embedding's start.

    Raises:
        ConfigError: a number that makes no sense.
    """

    classes: tuple[str, ...] = ()
    class_count: int = 4
    images: int = 10
    group: str = "20c"
    beta: float = 1.0
    held_out: bool = True
    all_classes: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        wanted = len(self.classes) or self.class_count
        if wanted < 2 or self.images < 2 or self.all_classes < 0:
            raise ConfigError(
                f"an embedding needs 2 classes of 2 images or more, found {wanted} classes of {self.images}."
            )


def chosen_classes(request: EmbeddingRequest, names: tuple[str, ...], counts: list[int]) -> list[int]:
    """Return the head labels of the classes asked for, or drawn among those that have the images.

    Args:
        request: which, or how many.
        names: in label order.
        counts: images of each class.

    Raises:
        ConfigError: a class that the run does not know, or more than have so many images.
    """
    if unknown := [name for name in request.classes if name not in names]:
        raise ConfigError(
            f"--classes asks for {unknown[0]}, the run's {len(names)} classes are {', '.join(names[:8])}, ..."
        )
    if request.classes:
        return [names.index(name) for name in request.classes]
    order = stream(request.seed, "analyse", "classes").permutation(len(names)).tolist()
    rich = [label for label in order if counts[label] >= request.images]
    if request.class_count > len(rich):
        raise ConfigError(
            f"{request.class_count} classes of {request.images} images were asked for, {len(rich)} of {len(names)} "
            "have so many: ask for fewer classes or images."
        )
    return sorted(rich[: request.class_count])


def embed(vectors: NDArray[np.floating], seed: int) -> NDArray[np.float64]:
    """Return float64[N, 2]: t-SNE of vectors float[N, D] by scikit-learn, started from their principal components.

    The perplexity is 30, or a third of the points where there are fewer than 90; equal seeds give equal pictures on one
    machine.
    """
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(vectors) - 1) / 3)
    made = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(vectors)
    return np.asarray(made, dtype=np.float64)


def pattern_silhouettes(paired: PairedVectors, seed: int, shuffles: int) -> tuple[ClusterScore, ClusterScore]:
    """Return the silhouettes of difference vectors by pattern and by class.

    Raises:
        ConfigError: a single pattern.
    """
    images, patterns, dim = paired.differences.shape
    vectors = paired.differences.reshape(images * patterns, dim).double().numpy()
    by_pattern = np.tile(np.arange(patterns), images)
    by_class = np.repeat(paired.labels.numpy(), patterns)
    return silhouette_of(vectors, by_pattern, seed, shuffles), silhouette_of(vectors, by_class, seed, shuffles)
