"""How far decoded images are from the real ones, and how far one gets by guessing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from occbench.analyse.decoder_data import Decodable

__all__ = ["Decoded", "DecodedErrors", "decoded_errors"]


@dataclass(frozen=True, eq=False)
class DecodedErrors:
    """Mean squared errors by held-out image, pixels in 0..1; float64[n_images] each.

    Attributes:
        clean: of decoded clean vectors against the clean image.
        clean_guess: of the mean training image against the clean image.
        occluded: of decoded occluded vectors against the occluded image, mean over patterns.
        occluded_guess: of the mean training image against it.
        pattern_guess: of the mean training image under the same pattern against it.
        pseudo: of decoded pseudo vectors against the really occluded image.
        pseudo_kept: share of pseudo vectors that the run's last layer puts where it puts the clean vector.
        occluded_kept: the same share of real occluded vectors.
    """

    clean: NDArray[np.float64]
    clean_guess: NDArray[np.float64]
    occluded: NDArray[np.float64]
    occluded_guess: NDArray[np.float64]
    pattern_guess: NDArray[np.float64]
    pseudo: NDArray[np.float64]
    pseudo_kept: NDArray[np.float64]
    occluded_kept: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Decoded:
    """Decoded images, float32 in 0..1.

    Attributes:
        real: [N, 1 + K, 3, S, S] of clean and occluded vectors.
        pseudo: [N, K, 3, S, S] of pseudo vectors.
    """

    real: Tensor
    pseudo: Tensor


def decoded_errors(
    training: Decodable, judged: Decodable, decoded: Decoded, kept: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> DecodedErrors:
    """Return the errors of decoded images and of guesses.

    Args:
        training: what the guesses are made from.
        judged: held-out images.
        decoded: what the decoder made of them.
        kept: (pseudo, occluded) shares of vectors that keep the clean vector's class, by image.
    """
    truth = judged.images.float() / 255
    mean, by_condition = training.mean_image, training.mean_by_condition
    return DecodedErrors(
        clean=_by_image(decoded.real[:, :1], truth[:, :1]),
        clean_guess=_by_image(mean, truth[:, :1]),
        occluded=_by_image(decoded.real[:, 1:], truth[:, 1:]),
        occluded_guess=_by_image(mean, truth[:, 1:]),
        pattern_guess=_by_image(by_condition[1:], truth[:, 1:]),
        pseudo=_by_image(decoded.pseudo, truth[:, 1:]),
        pseudo_kept=kept[0],
        occluded_kept=kept[1],
    )


def _by_image(made: Tensor, truth: Tensor) -> NDArray[np.float64]:
    """Return float64[N]: mean squared errors of float32[N, K, 3, S, S]."""
    return np.asarray(((made - truth) ** 2).mean(dim=(1, 2, 3, 4)).double().numpy())
