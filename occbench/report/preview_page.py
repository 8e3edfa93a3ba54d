"""The preview as one self-contained HTML page: no script, no network, pictures inside."""

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occbench.core.types import Condition
from occbench.report.gallery import Gallery, Group, caption, percent
from occbench.report.page_templates import page_template

__all__ = ["preview_page"]

#: Pictures are as large as two device pixels per CSS pixel can use, and no larger.
_LARGEST_PX: Final = 320
_JPEG_QUALITY: Final = 90
#: Characters of a shared parameter that a heading has room for.
_LONGEST_NOTE: Final = 40


@dataclass(frozen=True)
class _Picture:
    """An ``img`` element's content and what stands below it, if anything."""

    uri: str
    width: int
    height: int
    alt: str
    caption: str


@dataclass(frozen=True)
class _Strip:
    """A condition and its picture of every clean image."""

    condition: Condition
    achieved: str
    pictures: tuple[_Picture, ...]


def preview_page(gallery: Gallery) -> str:
    """Return the page; pictures are JPEG (quality 90, 4:4:4), reduced to 320 px where larger, which the page says."""
    clean = [
        _picture(row.clean, f"{_readable(row.class_name)}, clean", _readable(row.class_name)) for row in gallery.rows
    ]
    numbers = {condition.name: number for number, condition in enumerate(gallery.conditions)}
    groups = [
        (group, _note(group), [_strip(gallery, condition, numbers[condition.name]) for condition in group.shown])
        for group in gallery.groups
    ]
    return page_template("preview.html.jinja").render(
        gallery=gallery,
        clean=clean,
        groups=groups,
        tile_px=max(112, min(160, max(picture.width for picture in clean))),
        largest_px=_LARGEST_PX,
        quality=_JPEG_QUALITY,
    )


def _note(group: Group) -> str:
    """Say how many conditions are shown and what they share; hashes and the like are left to the manifest."""
    counted = "1 condition" if group.total == 1 else f"{len(group.shown)} of {group.total} conditions"
    shared = [f"{name.replace('_', ' ')} {value}" for name, value in group.common.items()]
    shared = [text for text in shared if len(text) <= _LONGEST_NOTE]
    return f"{counted}; {', '.join(shared)}" if shared else counted


def _strip(gallery: Gallery, condition: Condition, number: int) -> _Strip:
    samples = [row.samples[number] for row in gallery.rows]
    least, greatest = (percent(choose(sample.achieved for sample in samples)) for choose in (min, max))
    pictures = []
    for row, sample in zip(gallery.rows, samples, strict=True):
        hidden = ", ".join(caption(sample, condition))
        alt = f"{_readable(row.class_name)} under {condition.name}, {hidden} hidden"
        # the heading says it already where all images agree
        pictures.append(_picture(sample.image, alt, "" if {hidden} == {least, greatest} else hidden))
    return _Strip(condition, least if least == greatest else f"{least} to {greatest}", tuple(pictures))


def _picture(image: NDArray[np.uint8], alt: str, caption: str) -> _Picture:
    picture = Image.fromarray(image)
    picture.thumbnail((_LARGEST_PX, _LARGEST_PX), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True)
    uri = f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"
    return _Picture(uri, picture.width, picture.height, alt, caption)


def _readable(class_name: str) -> str:
    return class_name.replace("_", " ")
