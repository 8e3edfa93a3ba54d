"""Figure 7 of Cen et al.: what deep feature vectors, real and pseudo, look like when they are decoded.

A decoder is trained on the run's training images, clean and occluded; it is judged on held-out images, by the mean
squared error of its pixels against guessing the mean training image, and, for occluded ones, against guessing the mean
of the training images under the same pattern, which knows the occluder and nothing of the image.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from occbench.analyse.decode_errors import Decoded, DecodedErrors, decoded_errors
from occbench.analyse.decoder import Decoder
from occbench.analyse.decoder_data import Decodable, decodable
from occbench.analyse.decoder_training import DecoderRule, decode, train_decoder
from occbench.analyse.difference_vectors import paired_vectors
from occbench.analyse.opened_run import OpenedRun
from occbench.bench.images.images import ImageSet, load_images
from occbench.bench.images.materials import test_source_of
from occbench.bench.images.memory import memory_bytes
from occbench.core.errors import ConfigError
from occbench.core.seeding import stream
from occbench.core.types import Condition

__all__ = ["DecodeRequest", "Judged", "judge_decoder"]


@dataclass(frozen=True)
class DecodeRequest:
    """What to train on and judge by.

    Attributes:
        rule: how the decoder is built and trained.
        group: condition group of the occluded twins; empty takes every condition.
        images: training images, evenly spread; None takes all.
        held_out: test images to judge by, evenly spread; at most.

    Raises:
        ConfigError: fewer than two images.
    """

    rule: DecoderRule = field(default_factory=DecoderRule)
    group: str = ""
    images: int | None = None
    held_out: int = 100

    def __post_init__(self) -> None:
        if self.held_out < 2 or (self.images is not None and self.images < 2):
            raise ConfigError(
                "a decoder needs 2 training and 2 test images or more: raise --train-images and --test-images."
            )


@dataclass(frozen=True, eq=False)
class Judged:
    """What became of the held-out images.

    Attributes:
        images: what was to be decoded, clean first.
        decoded: what the decoder made of real and of pseudo vectors.
        errors: of both, and of guesses.
        training_count: images that the decoder was trained on.
    """

    images: Tensor
    decoded: Decoded
    errors: DecodedErrors
    training_count: int


def judge_decoder(
    run: OpenedRun,
    request: DecodeRequest,
    kept: Path,
    on_epoch: Callable[[int, float], None] = lambda _epoch, _loss: None,
) -> Judged:
    """Train what is left of the decoder and judge it on held-out images.

    Args:
        run: the trained network.
        request: what to do.
        kept: folder of what is kept between calls.
        on_epoch: told after every epoch, as ``train_decoder``.

    Raises:
        ConfigError: the run has no pairs, or the images do not fit into memory.
    """
    conditions = run.conditions(request.group) if request.group else run.materials.renderer.conditions
    training = _spread(run, request.images, held_out=False)
    held_out = _spread(run, request.held_out, held_out=True)
    size_px = request.rule.size_px
    _check_memory(len(training) * (1 + len(conditions)), size_px)
    data = decodable(run, training, conditions, size_px, kept / "vectors.safetensors")
    decoder = train_decoder(data, request.rule, kept, run.pipeline.device, on_epoch)
    judged = decodable(run, held_out, conditions, size_px)
    pseudo = _pseudo_vectors(run, judged, held_out.keys, conditions, request.rule.seed)
    decoded = Decoded(_decoded(decoder, judged.vectors), _decoded(decoder, pseudo))
    errors = decoded_errors(data, judged, decoded, _kept(run, judged, pseudo))
    return Judged(judged.images, decoded, errors, len(training))


def _decoded(decoder: Decoder, vectors: Tensor) -> Tensor:
    """Return float32[N, K, 3, S, S] of vectors float32[N, K, D]."""
    made = decode(decoder, vectors.flatten(0, 1))
    return made.reshape(*vectors.shape[:2], *made.shape[1:])


def _spread(run: OpenedRun, count: int | None, *, held_out: bool) -> ImageSet:
    """Return evenly spread training or test images."""
    benchmark, split = run.materials.benchmark, run.materials.split
    source = test_source_of(benchmark, run.source) if held_out else run.source
    every = split.test if held_out else split.train
    wanted = len(every) if count is None else min(count, len(every))
    indices = [every[number * len(every) // wanted] for number in range(wanted)]
    return load_images(source, indices, benchmark.prepare, split.label_of)


def _check_memory(examples: int, size_px: int) -> None:
    needed = examples * 3 * size_px**2
    if needed > memory_bytes() // 2:
        raise ConfigError(
            f"{examples:,} images of {size_px} px take {needed / 1e9:.0f} GB, this machine has "
            f"{memory_bytes() / 1e9:.0f} GB: lower --size-px or --train-images, or name one --group."
        )


def _pseudo_vectors(
    run: OpenedRun, judged: Decodable, keys: tuple[str, ...], conditions: tuple[Condition, ...], seed: int
) -> Tensor:
    """Return float32[N, K, D]: each clean vector plus a difference vector of every pattern, of a drawn pair.

    The difference vectors are those of the benchmark's pairs, as in the figure; beta is 1.
    """
    pairs = run.materials.pairs
    if len(pairs) == 0:
        raise ConfigError("decoding pseudo vectors needs pairs, and the benchmark's split has none: set pair_classes.")
    differences = paired_vectors(run, pairs, conditions).differences
    made = []
    for row, key in enumerate(keys):
        drawn = stream(seed, "decode", "pair", key).integers(len(pairs), len(conditions))
        chosen = differences[torch.from_numpy(drawn), torch.arange(len(conditions))]
        made.append(judged.vectors[row, :1] + chosen)
    return torch.stack(made)


def _kept(run: OpenedRun, judged: Decodable, pseudo: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    clean = run.answers(judged.vectors[:, 0])[:, None]
    shares = []
    for vectors in (pseudo, judged.vectors[:, 1:]):
        answers = run.answers(vectors.flatten(0, 1)).reshape(vectors.shape[:2])
        shares.append(np.asarray((answers == clean).double().mean(1).numpy()))
    return shares[0], shares[1]
