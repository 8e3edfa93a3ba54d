"""Occluders and banks of them: RGBA cut-outs with a name, a category, a look and the hash of their file.

A bank is a folder. With a ``bank.json`` (the embedded bank, or one that ``from_coco`` cut) it holds exactly the files
listed there, each checked against its hash; without one it holds every PNG and WebP file of the folder.
Looks are the rows and categories the columns of the grid of Cen et al. 2021, section 4.3.3 (10 categories x 3 looks),
so ``occbench-30/look1`` and ``occbench-30/look2+look3`` are the two sides of their cross-pattern protocol.
"""

import hashlib
import io
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, Field, ValidationError

from occbench.core.boxes import cropped
from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError, OcclusionError
from occbench.core.messages import did_you_mean
from occbench.core.pictures import UNREADABLE
from occbench.core.types import KEY_PATTERN, slug

__all__ = ["LISTING_NAME", "Occluder", "OccluderBank", "load_bank"]

#: The file that says what is in a bank.
LISTING_NAME: Final = "bank.json"

_FOLDERS: Final = {"occbench-30": Path(__file__).parent / "occbench30"}
_SUBSETS: Final = {"occbench-3": ("occbench-30", ("umbrella2", "mug1", "leaf2"))}
_SELECTION: Final = re.compile(r"(?P<bank>.+)/(?P<looks>look\d+(\+look\d+)*)")
_SUFFIXES: Final = (".png", ".webp")


@dataclass(frozen=True, slots=True, eq=False)
class Occluder:
    """A cut-out object.

    Attributes:
        name: unique in its bank, matches ``KEY_PATTERN``, e.g. ``umbrella2``.
        category: what it shows, e.g. ``umbrella``.
        look: which picture of its category, from 1.
        rgba: uint8[h, w, 4], straight alpha, read-only; trimmed to the box of alpha above 0; RGB is 0 where alpha is 0.
        sha256: hash of the image file's bytes, 64 hexadecimal digits.
    """

    name: str
    category: str
    look: int
    rgba: NDArray[np.uint8]
    sha256: str

    @property
    def alpha_mass(self) -> float:
        """The area it hides at its own size: sum(alpha) / 255, in pixels."""
        return int(self.rgba[..., 3].sum(dtype=np.int64)) / 255

    @property
    def centroid(self) -> tuple[float, float]:
        """The centre of mass of its alpha as shares (x, y) of its width and height."""
        alpha = self.rgba[..., 3].astype(np.int64)
        height, width = alpha.shape
        x = ((np.arange(width) + 0.5) * alpha.sum(axis=0)).sum() / alpha.sum()
        y = ((np.arange(height) + 0.5) * alpha.sum(axis=1)).sum() / alpha.sum()
        return float(x / width), float(y / height)


@dataclass(frozen=True, slots=True, eq=False)
class OccluderBank:
    """Occluders in a fixed order.

    Attributes:
        name: what it is called in records, e.g. ``occbench-30/look1``.
        occluders: at least one; names are unique.
    """

    name: str
    occluders: tuple[Occluder, ...]

    @property
    def fingerprint(self) -> str:
        """A short hash of names and file hashes, in order."""
        return fingerprint([[occluder.name, occluder.sha256] for occluder in self.occluders])

    def by_name(self, name: str) -> Occluder:
        """Return the occluder called ``name``.

        Raises:
            ConfigError: there is none.
        """
        for occluder in self.occluders:
            if occluder.name == name:
                return occluder
        known = [occluder.name for occluder in self.occluders]
        hint = did_you_mean(name, known, f"It has: {', '.join(known)}.")
        raise ConfigError(f"bank {self.name} has no occluder {name!r}. {hint}")

    def row(self, *looks: int) -> "OccluderBank":
        """Return the occluders of these looks as a bank, in this bank's order.

        Raises:
            ConfigError: the bank has nothing of one of the looks.
        """
        known = sorted({occluder.look for occluder in self.occluders})
        if missing := sorted(set(looks) - set(known)):
            raise ConfigError(f"bank {self.name} has no look {missing[0]}: it has {', '.join(map(str, known))}.")
        name = f"{self.name}/{'+'.join(f'look{look}' for look in looks)}"
        return OccluderBank(name, tuple(occluder for occluder in self.occluders if occluder.look in looks))


class _Listed(BaseModel):
    """One occluder in ``bank.json``; other keys are for readers."""

    name: str = Field(pattern=f"^{KEY_PATTERN.pattern}$")
    category: str
    look: int = Field(ge=1)
    file: str = Field(pattern=r"^[^/\\]+$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class _Listing(BaseModel):
    """What ``bank.json`` must hold."""

    name: str
    occluders: list[_Listed] = Field(min_length=1)


def load_bank(name_or_path: str | Path) -> OccluderBank:
    """Return a bank of occluders; a bank is read once per process.

    Args:
        name_or_path: ``occbench-30``, ``occbench-3`` (three of it) or a folder of RGBA PNG or WebP files; after each,
            ``/look1`` or ``/look2+look3`` selects rows. Without a ``bank.json``, names are the files' stems, and a
            number at a stem's end is the look (``umbrella2`` is look 2 of ``umbrella``).

    Raises:
        ConfigError: no such bank, folder or look.
        OcclusionError: a file that cannot be an occluder, or a ``bank.json`` that does not fit its folder.
    """
    asked = str(name_or_path)
    if asked in _FOLDERS or asked in _SUBSETS:
        return _embedded(asked)
    if Path(asked).is_dir():
        return _read_folder(Path(asked).resolve())
    if selection := _SELECTION.fullmatch(asked):
        looks = sorted({int(look.removeprefix("look")) for look in selection["looks"].split("+")})
        return load_bank(selection["bank"]).row(*looks)
    names = ", ".join(sorted([*_FOLDERS, *_SUBSETS]))
    raise ConfigError(f"there is no occluder bank {asked}: give one of {names}, or a folder of RGBA PNG files.")


@lru_cache
def _embedded(name: str) -> OccluderBank:
    if name in _FOLDERS:
        return _read_folder(_FOLDERS[name])
    whole, members = _SUBSETS[name]
    bank = load_bank(whole)
    return OccluderBank(name, tuple(bank.by_name(member) for member in members))


@lru_cache
def _read_folder(folder: Path) -> OccluderBank:
    if (folder / LISTING_NAME).is_file():
        return _read_listed(folder)
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in _SUFFIXES)
    if not files:
        raise ConfigError(f"{folder} has no PNG or WebP file: put RGBA cut-outs with a transparent background there.")
    named: dict[str, Path] = {}
    for path in files:
        name = slug(path.stem)
        if name in named:
            raise OcclusionError(
                f"{named[name].name} and {path.name} in {folder} both get the name {name}: rename one."
            )
        named[name] = path
    return OccluderBank(slug(folder.name), tuple(_from_stem(name, path) for name, path in sorted(named.items())))


def _from_stem(name: str, path: Path) -> Occluder:
    category = name.rstrip("0123456789").rstrip("-_") or name
    number = re.search(r"\d+$", name)
    look = max(int(number[0]), 1) if number else 1
    rgba, sha256 = _read_cutout(path)
    return Occluder(name, category, look, rgba, sha256)


def _read_listed(folder: Path) -> OccluderBank:
    path = folder / LISTING_NAME
    try:
        listing = _Listing.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise OcclusionError(f"{path} is not a bank: {where}: {first['msg']}. Mend it, or delete it.") from error
    names = [listed.name for listed in listing.occluders]
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise OcclusionError(f"{path} lists {duplicates[0]} more than once: rename one.")
    return OccluderBank(listing.name, tuple(_read_occluder(folder, listed) for listed in listing.occluders))


def _read_occluder(folder: Path, listed: _Listed) -> Occluder:
    path = folder / listed.file
    if not path.is_file():
        raise OcclusionError(f"{folder / LISTING_NAME} lists {listed.file}, which is not there: restore the file.")
    rgba, found = _read_cutout(path)
    if found != listed.sha256:
        raise OcclusionError(
            f"{path} has changed: {LISTING_NAME} lists sha256 {listed.sha256[:12]}…, found {found[:12]}…. "
            "Restore the file, or list its new hash."
        )
    return Occluder(listed.name, listed.category, listed.look, rgba, found)


def _read_cutout(path: Path) -> tuple[NDArray[np.uint8], str]:
    """Return the trimmed, read-only RGBA pixels of an image file, and the file's SHA-256."""
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            has_alpha = picture.has_transparency_data
            rgba = np.array(picture.convert("RGBA"))
    except UNREADABLE as error:
        raise OcclusionError(
            f"{path} cannot be read as an image ({error}): replace it, or take it out of the folder."
        ) from error
    if not has_alpha:
        raise OcclusionError(f"{path} has no alpha channel: save the cut-out as RGBA with a transparent background.")
    visible = rgba[..., 3] > 0
    if not visible.any():
        raise OcclusionError(f"{path} is fully transparent: it would hide nothing. Replace it, or take it out.")
    rgba[~visible] = 0
    rgba = cropped(rgba, visible)
    rgba.flags.writeable = False
    return rgba, hashlib.sha256(data).hexdigest()
