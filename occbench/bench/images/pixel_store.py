"""Decoding many images, on all cores: into memory while that lasts, and into memory-mapped files beyond.

A set of images that does not fit lives in ``FOLDER/<fingerprint>/``, named by everything that decides its pixels, in
parts of a quarter of a gigabyte: ``part-00000.npy``, uint8[n, S, S, 3], each written whole or not at all, and beside it
``part-00000.more.npy``, bool[n], which of its images have masks. So a killed run goes on with the part it was at,
several processes that need the same set share the work, and a later run that needs it decodes nothing. ``about.json``
says what a folder is; it may be deleted, and is then made again.
"""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.lib.format import header_data_from_array_1_0, write_array_header_1_0
from numpy.typing import NDArray

from occbench.bench.images.memory import memory_bytes
from occbench.core.canonical import fingerprint
from occbench.core.errors import StorageError
from occbench.core.files import PART_SUFFIX, whole_file, write_json
from occbench.core.types import Example

__all__ = ["Decoded", "PixelStore"]

Found = TypeVar("Found")
#: Decodes image ``i`` into the place given, uint8[S, S, 3]; returns its example where that holds masks, else None.
Decode = Callable[[int, NDArray[np.uint8]], Example | None]

_VERSION: Final = 1  # raised when a part's content changes its meaning
_PART_BYTES: Final = 256 * 2**20
#: Images handed to the threads at a time: enough to keep them busy, few enough to stop soon after a broken one.
_BLOCK: Final = 256
#: A temporary file that nobody has written to for so long is what a killed process left.
_ABANDONED_S: Final = 3600.0


@dataclass(frozen=True, eq=False)
class Decoded:
    """What a store made of a set of images.

    Attributes:
        arrays: uint8[n, S, S, 3] each, the images in order.
        kept: the examples that have masks, by row, where they are in memory.
        to_read_again: bool[N], the images that have masks, where the pixels are in files and the masks nowhere.
    """

    arrays: tuple[NDArray[np.uint8], ...]
    kept: Mapping[int, Example] = field(default_factory=dict)
    to_read_again: NDArray[np.bool_] | None = None


class PixelStore:
    """Where decoded images live.

    Attributes:
        folder: of the memory-mapped files; None keeps everything in memory.
        threads: that decode side by side.
    """

    def __init__(
        self,
        folder: Path | None = None,
        budget_bytes: int | None = None,
        on_decoded: Callable[[int, int], None] = lambda _more, _total: None,
        *,
        part_bytes: int = _PART_BYTES,
    ) -> None:
        """Take folder and memory.

        Args:
            folder: for the sets that do not fit; None keeps them in memory all the same.
            budget_bytes: memory of all sets together; half of the machine's by default.
            on_decoded: told after every few images how many more are decoded, and how many their set has.
            part_bytes: size of a file, about; at least one image.
        """
        self.folder = folder
        self.threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._left_bytes = memory_bytes() // 2 if budget_bytes is None else budget_bytes
        self._on_decoded = on_decoded
        self._part_bytes = part_bytes

    def decode(self, count: int, shape: tuple[int, int, int], decode: Decode, identity: dict[str, Any]) -> Decoded:
        """Decode a set of images, or open it where it has been decoded before.

        Args:
            count: images.
            shape: of each, (S, S, 3).
            decode: decodes one into its place; called from several threads.
            identity: everything that decides the pixels, in JSON values; names the files.

        Raises:
            BrokenImageError: an image cannot be used; of several broken ones, the first.
            StorageError: the files need more space than the disk has, or cannot be written.
        """
        image_bytes = int(np.prod(shape))
        if self.folder is None or count * image_bytes <= self._left_bytes:
            self._left_bytes -= count * image_bytes
            pixels = np.empty((count, *shape), dtype=np.uint8)
            found = self._fill(pixels, range(count), count, decode)
            return Decoded((pixels,), {row: example for row, example in enumerate(found) if example is not None})
        each = max(1, self._part_bytes // image_bytes)
        home = self.folder / fingerprint([_VERSION, identity, count, list(shape), each])
        parts = {
            home / f"part-{number:05}.npy": range(start, min(start + each, count))
            for number, start in enumerate(range(0, count, each))
        }
        missing = [path for path in parts if not path.is_file()]
        if missing:
            self._check_space(home, sum(len(parts[path]) for path in missing) * image_bytes, count)
            write_json(home / "about.json", {"decoded images": count, "may be deleted": True, **identity})
            _remove_abandoned(home)
        # every process begins elsewhere, so that those at work on the same set meet as late as can be
        first = os.getpid() % max(1, len(missing))
        for path in (*missing[first:], *missing[:first]):
            if not path.is_file():
                self._write(path, parts[path], (count, *shape), decode)
        with_masks = np.concatenate([np.load(_mask_file(path)) for path in parts])
        return Decoded(tuple(np.load(path, mmap_mode="r") for path in parts), to_read_again=with_masks)

    def _write(self, path: Path, rows: range, shape: tuple[int, ...], decode: Decode) -> None:
        # in memory first: a disk that fills up under a memory-mapped file kills the process without a word
        pixels = np.empty((len(rows), *shape[1:]), dtype=np.uint8)
        masks = self._fill(pixels, rows, shape[0], lambda row, place: decode(row, place) is not None)
        for target, array in ((_mask_file(path), np.array(masks)), (path, pixels)):
            with whole_file(target) as temporary, temporary.open("wb") as file:
                write_array_header_1_0(file, header_data_from_array_1_0(array))
                file.write(array.data)

    def _fill(
        self,
        pixels: NDArray[np.uint8],
        rows: range,
        total: int,
        decode: Callable[[int, NDArray[np.uint8]], Found],
    ) -> list[Found]:
        """Decode images into ``pixels``; of several broken ones, the first is complained of."""
        found: list[Found] = []
        with ThreadPoolExecutor(self.threads) as pool:
            for start in range(0, len(rows), _BLOCK):
                block = rows[start : start + _BLOCK]
                found += pool.map(decode, block, pixels[start : start + len(block)])
                self._on_decoded(len(block), total)
        return found

    def _check_space(self, home: Path, needed_bytes: int, count: int) -> None:
        there = next(folder for folder in (home, *home.parents) if folder.is_dir())
        free_bytes = shutil.disk_usage(there).free
        if needed_bytes > free_bytes:
            raise StorageError(
                f"{count:,} decoded images do not fit into memory, and {self.folder} needs {needed_bytes / 1e9:.1f} GB "
                f"more where {free_bytes / 1e9:.1f} GB are free: free some, name a folder on a larger disk with "
                "--cache, or take fewer images (a benchmark: --set split.train_per_class=100)."
            )


def _remove_abandoned(home: Path) -> None:
    for leftover in home.glob(f"*{PART_SUFFIX}"):
        if time.time() - leftover.stat().st_mtime > _ABANDONED_S:
            leftover.unlink(missing_ok=True)


def _mask_file(part: Path) -> Path:
    return part.with_suffix(".more.npy")
