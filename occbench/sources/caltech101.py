"""Caltech-101: 101 object classes, 31 to 800 images each, about 300 x 200 px."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from occbench.core.errors import ConfigError, SourceError
from occbench.sources.folder_scan import folders_in
from occbench.sources.labelled_files import LabelledFiles, LabelledFileSource, files_by_class_folder

__all__ = ["CLASSES", "Caltech101"]

_IMAGES_FOLDER: Final = "101_ObjectCategories"
_BACKGROUND: Final = "BACKGROUND_Google"

#: The classes in label order: sorted without regard to case. A case-sensitive sort would put Faces, Faces_easy,
#: Leopards and Motorbikes first and shift every split that is defined by class order.
CLASSES: Final = tuple(
    """
    accordion airplanes anchor ant barrel bass beaver binocular bonsai brain brontosaurus buddha butterfly camera cannon
    car_side ceiling_fan cellphone chair chandelier cougar_body cougar_face crab crayfish crocodile crocodile_head cup
    dalmatian dollar_bill dolphin dragonfly electric_guitar elephant emu euphonium ewer Faces Faces_easy ferry flamingo
    flamingo_head garfield gerenuk gramophone grand_piano hawksbill headphone hedgehog helicopter ibis inline_skate
    joshua_tree kangaroo ketch lamp laptop Leopards llama lobster lotus mandolin mayfly menorah metronome minaret
    Motorbikes nautilus octopus okapi pagoda panda pigeon pizza platypus pyramid revolver rhino rooster saxophone
    schooner scissors scorpion sea_horse snoopy soccer_ball stapler starfish stegosaurus stop_sign strawberry sunflower
    tick trilobite umbrella watch water_lilly wheelchair wild_cat windsor_chair wrench yin_yang
    """.split()  # noqa: SIM905 - a list would take a hundred lines
)


@dataclass(frozen=True)
class Caltech101(LabelledFileSource):
    """The 101 object classes of Caltech-101; the background class ``BACKGROUND_Google`` is dropped.

    Li Fei-Fei, R. Fergus, P. Perona, "Learning generative visual models from few training examples: an incremental
    Bayesian approach tested on 101 object categories", CVPR workshop on generative-model based vision, 2004.
    Images and record: doi 10.22002/D1.20086, CC BY 4.0.

    Class folders that are missing are left out, so a subset works; ``classes`` lists what is there, and the label of
    a class is its index in that list. A folder that is not a class of Caltech-101 is an error, because it would shift
    the labels: read such a folder as ``image_folder``.

    Attributes:
        path: ``101_ObjectCategories`` itself, the folder that contains it, or the folder above that one.

    Raises:
        ConfigError: no path.
        SourceError: on first use: no such folder, no or foreign class folders, a class without an image.
    """

    terms: ClassVar[str] = "CC BY 4.0 (Caltech-101, doi 10.22002/D1.20086)"
    licence = "cc-by-4.0"
    sharing = "free"

    path: str

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError(f"caltech101 needs path: the folder {_IMAGES_FOLDER} or one that contains it.")

    @cached_property
    def _images(self) -> LabelledFiles:
        root = _images_folder(Path(self.path).expanduser())
        found = {name for name in folders_in(root) if name != _BACKGROUND}
        classes = [name for name in CLASSES if name in found]
        if not classes:
            raise SourceError(
                f"{root} has no class folder of Caltech-101 (accordion ... yin_yang). "
                f"Give the folder {_IMAGES_FOLDER} of the unpacked archive, or one that contains it."
            )
        if foreign := sorted(found.difference(CLASSES)):
            raise SourceError(
                f"{root} has folders that are not classes of Caltech-101: {', '.join(foreign[:10])}. "
                "Remove them, or read the folder with the source image_folder."
            )
        return files_by_class_folder(root, classes, classes)


def _images_folder(root: Path) -> Path:
    """Return the folder with the class folders, which lies at ``root`` or one or two levels below it."""
    below = folders_in(root)
    if _IMAGES_FOLDER in below:
        return root / _IMAGES_FOLDER
    inside = [root / name / _IMAGES_FOLDER for name in below if (root / name / _IMAGES_FOLDER).is_dir()]
    if len(inside) > 1:
        raise SourceError(f"{root} has {_IMAGES_FOLDER} in {' and in '.join(str(p.parent) for p in inside)}. Name one.")
    return inside[0] if inside else root
