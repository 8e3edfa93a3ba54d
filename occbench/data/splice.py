"""Restart-marker splicing: the JPEG of an occluded image from parts of the JPEG of its clean image.

``encode_jpeg`` puts a restart marker after every MCU (8 x 8 pixels at 4:4:4), and a restart resets the DC prediction
[ITU-T T.81, sections E.1.4 and F.1.2], so the bytes of an MCU are a function of its pixels alone. Of an occluded image

* the MCUs that the overlay leaves alone are taken from the clean file, as they are;
* the MCUs it hides wholly are the same on every image, and encoded once for all of them;
* only the MCUs it blends with are composited and encoded, side by side as one strip 8 pixels high.

Markers count 0..7 cyclically by MCU; those inside the strip are renumbered to their places. The result is byte for byte
``encode_jpeg(composite(image, overlay), quality)``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from operator import itemgetter
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from occbench.core.compose import PreparedOverlay, Workspace, composite, prepare_overlay
from occbench.core.types import Overlay
from occbench.data.encode import MAX_JPEG_SIDE_PX, encode_jpeg, encode_jpeg_bgr
from occbench.data.scratch import scratch

__all__ = ["PreparedSplice", "SplicedEncoder", "prepare_splice"]

Indices: TypeAlias = NDArray[np.intp]

_MCU: Final = 8
_RST0: Final = 0xD0
_EOI: Final = 0xD9
_SOS: Final = 0xDA

#: MCUs that one strip can hold.
_MAX_STRIP: Final = MAX_JPEG_SIDE_PX // _MCU

#: Share of blended MCUs above which encoding the whole image is as fast.
_WHOLE_SHARE: Final = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class PreparedSplice:
    """An overlay ready to be spliced into the JPEG of any image of one size; about 1 kB per blended MCU.

    Attributes:
        key: (height, width, quality) it was prepared for.
        clean: first MCU of each run that is taken from the clean file, and the first one behind it.
        whole: the overlay, where so many MCUs are blended that the whole image is encoded instead; else None.
        blended: the ``_strip_index`` of the MCUs to composite and encode, [8, n].
        strip: the overlay on those MCUs side by side, BGR, [8, 8 * n]; None where there are none.
        markers: uint8[n], second byte of the marker behind each of them.
        run_ends: last MCU in the strip of each run that is contiguous in the image.
        opaque: bytes of each run of hidden MCUs, with its markers.
        pick: from [file header, clean runs, opaque runs, blended runs] to the parts of the file in order.
    """

    key: tuple[int, int, int]
    clean: tuple[Indices, Indices]
    whole: PreparedOverlay | None
    blended: Indices
    strip: PreparedOverlay | None
    markers: NDArray[np.uint8]
    run_ends: Indices
    opaque: tuple[bytes, ...]
    pick: Callable[[list[bytes]], tuple[bytes, ...]]


def prepare_splice(overlay: Overlay, height: int, width: int, quality: int) -> PreparedSplice:
    """Work out which MCUs ``overlay`` blends with and hides, and encode the hidden ones.

    Raises:
        ValueError: the overlay's box reaches out of the ``height`` x ``width`` image.
    """
    canvas = _completed(_on_canvas(overlay, height, width))
    columns = canvas.shape[1] // _MCU
    # the alpha of one row of an MCU is one 64-bit word
    alpha = np.asarray(cv2.extractChannel(canvas, 3), dtype=np.uint8).view(np.uint64).reshape(-1, _MCU, columns)
    covered = np.bitwise_or.reduce(alpha, axis=1).ravel() != 0
    hidden = np.bitwise_and.reduce(alpha, axis=1).ravel() == np.iinfo(np.uint64).max
    opaque, blended = np.flatnonzero(hidden), np.flatnonzero(covered & ~hidden)
    whole = blended.size > _WHOLE_SHARE * covered.size or max(blended.size, opaque.size) > _MAX_STRIP
    if whole:
        opaque = blended = np.empty(0, dtype=np.intp)
    strip, runs = None, []
    if blended.size:
        pixels = cv2.cvtColor(_strip(canvas, _strip_index(blended, columns)), cv2.COLOR_RGBA2BGRA)
        strip = prepare_overlay(Overlay(np.asarray(pixels, dtype=np.uint8), 0, 0, 0.0))
    if opaque.size:
        file = _encode_hidden(_strip(canvas, _strip_index(opaque, columns)), quality)
        runs = _runs(file, quality, _markers(opaque, covered.size), _run_ends(opaque))
    clean = np.flatnonzero(~covered)
    return PreparedSplice(
        key=(height, width, quality),
        clean=(clean[np.diff(clean, prepend=-2) != 1], clean[_run_ends(clean)] + 1),
        whole=prepare_overlay(overlay) if whole else None,
        blended=_strip_index(blended, columns),
        strip=strip,
        markers=_markers(blended, covered.size),
        run_ends=_run_ends(blended),
        opaque=tuple(runs),
        pick=itemgetter(*_order(covered, hidden).tolist()),
    )


class SplicedEncoder:
    """The clean JPEG of one image, cut into its MCUs, from which the JPEG of every condition is made.

    For one thread at a time; a ``PreparedSplice`` may be shared.
    """

    def __init__(self, image: NDArray[np.uint8], quality: int, workspace: Workspace | None = None) -> None:
        """Encode the clean image.

        Args:
            image: uint8[H, W, 3], RGB; kept, not copied.
            quality: 1..100.
            workspace: scratch memory for compositing, to reuse from image to image.
        """
        self._image = image
        self._key = (image.shape[0], image.shape[1], quality)
        self._workspace = workspace or Workspace()
        bgr = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), dtype=np.uint8)
        self._completed = _completed(bgr)
        data = encode_jpeg_bgr(bgr, quality)
        #: The file of the clean image, as ``encode_jpeg`` makes it.
        self.clean = data.tobytes()
        header = _header_bytes(quality)
        self._header = self.clean[:header]
        #: Where each MCU begins, and the end of the file.
        self._cuts = np.concatenate(([header], _marker_offsets(data, header) + 2))

    def encode(self, splice: PreparedSplice) -> bytes:
        """Return ``encode_jpeg(composite(image, overlay), quality)``, byte for byte.

        Raises:
            ValueError: the splice was prepared for another size or quality.
        """
        if splice.key != self._key:
            raise ValueError(f"splice for (height, width, quality) {splice.key}, image and quality are {self._key}")
        if splice.whole is not None:
            out = scratch("composite", *self._image.shape)
            return encode_jpeg(composite(self._image, splice.whole, out, self._workspace), self._key[2])
        # runs, not single MCUs: about 40 parts instead of 650 to pick and join, which took half of the time
        starts, stops = (self._cuts[mcus].tolist() for mcus in splice.clean)
        pool = [self._header, *map(self.clean.__getitem__, map(slice, starts, stops)), *splice.opaque]
        if splice.strip is not None:
            strip = _strip(self._completed, splice.blended)
            out = scratch("composite", *strip.shape)
            composite(strip, splice.strip, out, self._workspace)
            file = encode_jpeg_bgr(out, self._key[2])
            pool += _runs(file, self._key[2], splice.markers, splice.run_ends)
        return b"".join(splice.pick(pool))


def _on_canvas(overlay: Overlay, height: int, width: int) -> NDArray[np.uint8]:
    """Return the overlay at the image's size, uint8[height, width, 4]."""
    if overlay.rgba.shape[:2] == (height, width) and overlay.x0 == overlay.y0 == 0:
        return overlay.rgba
    return overlay.on_canvas(height, width, scratch("canvas", height, width, 4))


def _completed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image with whole MCUs: libjpeg, too, completes them by repeating the last row and column."""
    below, right = -image.shape[0] % _MCU, -image.shape[1] % _MCU
    if below or right:
        image = np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge")
    return np.ascontiguousarray(image)


def _strip_index(mcus: Indices, columns: int) -> Indices:
    """Return [8, n]: where each of 8 rows of each MCU stands in an image cut into pieces of one row of one MCU."""
    top = mcus + mcus // columns * ((_MCU - 1) * columns)
    return top + np.arange(_MCU)[:, None] * columns


def _strip(image: NDArray[np.uint8], index: Indices) -> NDArray[np.uint8]:
    """Return the MCUs of a ``_strip_index`` side by side, uint8[8, 8 * n, channels], in scratch memory."""
    channels = image.shape[2]
    strip = scratch("strip", *index.shape, _MCU * channels)
    # mode "raise", the default, would write through a fresh buffer
    np.take(image.reshape(-1, _MCU * channels), index, axis=0, out=strip, mode="clip")
    return strip.reshape(_MCU, -1, channels)


def _order(covered: NDArray[np.bool_], hidden: NDArray[np.bool_]) -> Indices:
    """Return for every part of the file its index in the pool that ``PreparedSplice.pick`` describes."""
    kind = covered.astype(np.intp) + (covered & ~hidden)  # 0 clean, 1 opaque, 2 blended
    runs = kind[np.diff(kind, prepend=-1) != 0]
    order = np.empty(1 + runs.size, dtype=np.intp)
    order[0] = 0
    order[1 + np.argsort(runs, kind="stable")] = 1 + np.arange(runs.size)
    return order


def _run_ends(mcus: Indices) -> Indices:
    """Return the positions in ``mcus`` where a run of consecutive indices ends."""
    return np.flatnonzero(np.diff(mcus, append=-1) != 1)


def _markers(mcus: Indices, count: int) -> NDArray[np.uint8]:
    """Return the second byte of the marker behind each of ``mcus`` in a file of ``count`` MCUs."""
    return np.where(mcus == count - 1, _EOI, _RST0 + mcus % 8).astype(np.uint8)


def _encode_hidden(strip: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Return the file of an opaque strip, uint8[8, 8 * n, 4] RGBA, up to the numbers of its markers."""
    colours = strip.view(np.uint32)
    flat = bool((colours == colours[0, 0]).all())
    # one colour, as in patch drop: every MCU has the same bytes
    pixels = cv2.cvtColor(strip[:, :_MCU] if flat else strip, cv2.COLOR_RGBA2BGR)
    file = encode_jpeg_bgr(np.asarray(pixels, dtype=np.uint8), quality)
    if not flat:
        return file
    header = _header_bytes(quality)
    return np.concatenate((file[:header], np.tile(file[header:], strip.shape[1] // _MCU)))


def _runs(file: NDArray[np.uint8], quality: int, markers: NDArray[np.uint8], run_ends: Indices) -> list[bytes]:
    """Cut the file of a strip into its runs, each MCU followed by the marker it has in the whole file."""
    header = _header_bytes(quality)
    offsets = _marker_offsets(file, header)
    offsets += 1
    file[offsets] = markers
    data = file.tobytes()
    cuts = [header, *(offsets[run_ends] + 1).tolist()]
    return [data[start:stop] for start, stop in pairwise(cuts)]


@cache
def _header_bytes(quality: int) -> int:
    """Return the length of a file's headers, up to the first entropy-coded byte; it does not depend on the image."""
    data = encode_jpeg_bgr(np.zeros((_MCU, _MCU, 3), dtype=np.uint8), quality).tobytes()
    at, marker = 2, 0
    while marker != _SOS:
        marker = data[at + 1]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at


def _marker_offsets(data: NDArray[np.uint8], start: int) -> Indices:
    """Return where the marker behind each MCU stands: there, FF 00 is the data byte FF, all else a marker."""
    found = np.flatnonzero(data[start:] == 0xFF)
    found += start
    markers: Indices = found[data[found + 1] != 0]
    return markers
