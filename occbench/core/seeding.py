"""Named random streams: a stream is a function of a seed and a list of names, of nothing else.

Two calls of ``stream(7, "umbrella2", "place")`` give the same numbers in any process, order, machine or library
version, so output never depends on worker count, resume or shard size.

Definition, version 1 (changing it means raising every occlusion family's version):

1. key = SHA-256 of ``"occbench-stream-1"`` followed by the seed and every name, each as UTF-8 text, each preceded by
   its length in bytes as 8 little-endian bytes. Length prefixes make ("ab", "c") and ("a", "bc") different streams.
2. The first 16 bytes of the key, read as two little-endian 64-bit words, are the key of Philox4x64-10 (Salmon et al.,
   "Parallel random numbers: as easy as 1, 2, 3", SC 2011), counter starting at zero. Its 64-bit words are the stream.
3. Every draw is defined below on those words with exact integer or IEEE-754 operations; no sampling routine of a
   library is used, because libraries change theirs.
"""

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stream", "stream", "torch_seeded"]

_DOMAIN: Final = "occbench-stream-1"


def stream(seed: int, *names: str | int) -> "Stream":
    """Return the random stream of ``seed`` and ``names`` (what is drawn for whom, ending in the purpose)."""
    digest = hashlib.sha256()
    for part in (_DOMAIN, seed, *names):
        text = str(part).encode()
        digest.update(len(text).to_bytes(8, "little"))
        digest.update(text)
    return Stream(digest.digest())


class Stream:
    """A sequence of 64-bit words and the documented draws on it; each draw advances the stream.

    Scalar draws use one word each; array draws use one word per element in C order.
    """

    __slots__ = ("_philox",)

    def __init__(self, key: bytes) -> None:
        """Start the stream at counter zero.

        Args:
            key: at least 16 bytes; the first 16 are the Philox key.
        """
        words = np.frombuffer(key[:16], dtype="<u8").astype(np.uint64)
        # numpy increments the counter before the first block; starting one below zero makes the first block counter 0.
        self._philox = np.random.Philox(counter=2**256 - 1, key=words)

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return the next ``count`` raw 64-bit words."""
        return np.asarray(self._philox.random_raw(count), dtype=np.uint64)

    def uniforms(self, *shape: int) -> NDArray[np.float64]:
        """Return float64 numbers in [0, 1): the upper 53 bits of a word, times 2**-53."""
        count = math.prod(shape)
        return ((self.words(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(shape or (1,))

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return one float in [low, high): ``low + (high - low) * u``."""
        return low + (high - low) * ((self._philox.random_raw() >> 11) * 2.0**-53)

    def integers(self, high: int, count: int) -> NDArray[np.int64]:
        """Return ``count`` integers in [0, high): ``floor(u * high)``; ``high`` below 2**32, bias below 2**-21."""
        if not 0 < high < 2**32:
            raise ValueError(f"integers needs 0 < high < 2**32, found {high}")
        return np.asarray(np.floor(self.uniforms(count) * high), dtype=np.int64)

    def integer(self, low: int, high: int) -> int:
        """Return one integer in [low, high)."""
        return low + int(self.integers(high - low, 1)[0])

    def seed(self) -> int:
        """Return a seed for a library's own generator, an integer in [0, 2**31): ``integer(0, 2**31)``."""
        return self.integer(0, 2**31)

    def permutation(self, count: int) -> NDArray[np.int64]:
        """Return a permutation of ``range(count)``: the stable order of ``count`` words."""
        return np.argsort(self.words(count), kind="stable").astype(np.int64)


@contextmanager
def torch_seeded(seed: int) -> Iterator[None]:
    """Let torch's global generator of the CPU start from a seed while the block runs; then it is as it was before.

    For libraries that draw from it, because they offer no other way (initial weights, transforms).
    """
    import torch  # here, because generation does not need it

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
