"""Plug-ins by name: built-in players, installed packages (entry points) and one file of the user's (``file.py:Name``).

A built-in player is registered by the module that holds it; this table names the modules, so looking up one player
imports one file. A third-party package registers with the entry-point group ``occbench.<kind>``.
"""

import importlib
import importlib.util
import inspect
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Final, TypeVar

from occbench.core.canonical import fingerprint
from occbench.core.errors import PluginError
from occbench.core.messages import did_you_mean, one_line

__all__ = ["BUILT_IN", "describe_plugins", "find_plugin", "name_of", "plugin_names"]

Role = TypeVar("Role")

#: kind -> name -> "module:Class". Adding a player is one file and one line here; a contract test covers every line.
BUILT_IN: Final[dict[str, dict[str, str]]] = {
    "sources": {
        "ar_faces": "occbench.sources.ar_faces:ARFaces",
        "caltech101": "occbench.sources.caltech101:Caltech101",
        "coco": "occbench.sources.coco:Coco",
        "coco_objects": "occbench.sources.coco_objects:CocoObjects",
        "coco_parts": "occbench.sources.coco_parts:CocoParts",
        "cub200": "occbench.sources.cub200:CUB200",
        "hub": "occbench.sources.hub:Hub",
        "image_folder": "occbench.sources.image_folder:ImageFolder",
        "imagenet": "occbench.sources.imagenet:ImageNet",
        "oxford102": "occbench.sources.oxford102:Oxford102",
        "part_imagenet": "occbench.sources.part_imagenet:PartImageNet",
        "pascal3d": "occbench.sources.pascal3d:Pascal3D",
        "toyparts": "occbench.sources.toyparts:ToyParts",
        "toyparts_scenes": "occbench.sources.toyparts_scenes:ToyPartsScenes",
        "voc": "occbench.sources.voc:Voc",
        "wider_attribute": "occbench.sources.wider_attribute:WiderAttribute",
    },
    "occlusions": {
        "inpaint": "occbench.occlusions.inpaint:Inpaint",
        "irregular": "occbench.occlusions.irregular:Irregular",
        "levels": "occbench.occlusions.levels:Levels",
        "part_blackout": "occbench.occlusions.parts:PartBlackout",
        "part_replace": "occbench.occlusions.parts:PartReplace",
        "patch_drop": "occbench.occlusions.patch_drop:PatchDrop",
        "patterns": "occbench.occlusions.patterns:Patterns",
        "photographed": "occbench.occlusions.photographed:Photographed",
    },
    "extractors": {
        "diffusion_features": "occbench.models.diffusion_features:DiffusionFeatures",
    },
    "heads": {
        "csra": "occbench.models.csra:CSRA",
    },
    "methods": {
        "asl": "occbench.methods.asl:AsymmetricLoss",
        "compositional_net": "occbench.methods.compositional_net:CompositionalNet",
        "cutmix": "occbench.methods.cutmix:CutMix",
        "cutout": "occbench.methods.cutout:Cutout",
        "dfv": "occbench.methods.dfv:DeepFeatureAugmentation",
        "fine_tune": "occbench.methods.fine_tune:FineTune",
        "frozen": "occbench.methods.frozen:Frozen",
        "gridmask": "occbench.methods.gridmask:GridMask",
        "hide_and_seek": "occbench.methods.hide_and_seek:HideAndSeek",
        "knn": "occbench.methods.knn:NearestNeighbours",
        "learn": "occbench.methods.learn:Learn",
        "linear_probe": "occbench.methods.linear_probe:LinearProbe",
        "mixup": "occbench.methods.mixup:Mixup",
        "msl": "occbench.methods.msl:MaskedSupervisedLearning",
        "part_blackout": "occbench.methods.part_blackout:PartBlackout",
        "part_replace": "occbench.methods.part_replace:PartReplace",
        "patch_mixing": "occbench.methods.patch_mixing:PatchMixing",
        "pattern_paste": "occbench.methods.pattern_paste:PatternPaste",
        "random_erasing": "occbench.methods.random_erasing:RandomErasing",
        "sd_features": "occbench.methods.sd_features:DiffusionFusion",
        "sd_inpaint": "occbench.methods.sd_inpaint:DiffusionInpaint",
        "sdbe": "occbench.methods.sdbe:Sdbe",
        "tent": "occbench.methods.tent:Tent",
    },
    "models": {
        "tiny": "occbench.models.tiny:Tiny",
    },
}


def plugin_names(kind: str) -> list[str]:
    """Return every known name of a kind, built-in and installed, sorted."""
    return sorted({*BUILT_IN[kind], *(point.name for point in metadata.entry_points(group=f"occbench.{kind}"))})


def describe_plugins(kind: str) -> list[tuple[str, str]]:
    """Return (name, first line of the docstring) of every known plug-in of a kind, sorted by name.

    Of an installed one that cannot be imported the second is why.
    """
    return [(name, _described(kind, name)) for name in plugin_names(kind)]


def name_of(player: type) -> str:
    """Return the name that a player's class is asked for by: that of a built-in one, else the class's own."""
    target = f"{player.__module__}:{player.__qualname__}"
    return next(
        (name for names in BUILT_IN.values() for name, known in names.items() if known == target), player.__name__
    )


def find_plugin(kind: str, name: str, role: type[Role]) -> type[Role]:
    """Return the class that answers to ``name``.

    Args:
        kind: ``sources``, ``occlusions``, ``methods``, ``models``, ``heads`` or ``extractors``.
        name: a built-in name, an entry point's name, or ``path/to/file.py:ClassName``.
        role: the abstract class it must implement.

    Raises:
        PluginError: nothing answers to the name, its code cannot be imported, or the class does not fill the role.
    """
    found = _from_file(name) if ".py:" in name else _by_name(kind, name)
    if not (inspect.isclass(found) and issubclass(found, role)):
        raise PluginError(f"{name} is not a {role.__name__}: it must be a class that inherits from {role.__name__}.")
    if missing := sorted(getattr(found, "__abstractmethods__", ())):
        raise PluginError(f"{name} does not fill the role {role.__name__}: it lacks {', '.join(missing)}.")
    return found


def _described(kind: str, name: str) -> str:
    try:
        return (inspect.getdoc(_by_name(kind, name)) or "").partition("\n")[0]
    except PluginError as error:
        return str(error)


def _by_name(kind: str, name: str) -> object:
    if target := BUILT_IN[kind].get(name):
        module, _, attribute = target.partition(":")
        return getattr(importlib.import_module(module), attribute)
    for point in metadata.entry_points(group=f"occbench.{kind}", name=name):
        try:
            return point.load()
        except Exception as error:
            package = point.dist.name if point.dist else point.module
            raise PluginError(
                f"{name} of the installed package {package} cannot be imported: {_said(error)}. Mend or remove it."
            ) from error
    known = plugin_names(kind)
    hint = did_you_mean(name, known, f"Known: {', '.join(known)}.")
    raise PluginError(f"no {kind[:-1]} is called {name!r}. {hint} A file of your own is given as path/to/file.py:Name.")


def _from_file(name: str) -> object:
    file, _, attribute = name.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise PluginError(f"{name}: there is no file {path}. Give a path that exists, as path/to/file.py:Name.")
    module = _import_file(path)
    if not hasattr(module, attribute):
        offered = sorted(key for key, item in vars(module).items() if inspect.isclass(item) and not key.startswith("_"))
        raise PluginError(f"{path} has no class {attribute}. It has: {', '.join(offered) or 'no class at all'}.")
    return getattr(module, attribute)


def _import_file(path: Path) -> ModuleType:
    module_name = f"occbench_user_{fingerprint(str(path.resolve()))}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path} cannot be imported as a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses and pickling look the module up by name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise PluginError(f"{path} cannot be imported: {_said(error)}") from error
    return module


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)}"
