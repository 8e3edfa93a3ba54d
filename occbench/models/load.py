"""From a name to a backbone with its weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from occbench.core.build import build_plugin
from occbench.core.errors import ConfigError, PluginError
from occbench.core.networks import Architecture
from occbench.core.plugins import plugin_names
from occbench.core.seeding import stream, torch_seeded
from occbench.models.backbone import Backbone
from occbench.models.linear_head import last_linear, new_linear, replace_last_linear, slice_linear
from occbench.models.weights import Checkpoint, load_weights, read_checkpoint

__all__ = ["find_architecture", "load_backbone"]


def load_backbone(
    name: str,
    num_classes: int,
    *,
    pretrained: bool = False,
    weights: Path | None = None,
    head_rows: Sequence[int] | None = None,
    seed: int = 0,
) -> Backbone:
    """Return a backbone on the CPU, in training mode, every parameter trainable.

    Where its weights have another number of classes than asked for, or no head at all (self-supervised ones), the last
    linear layer is made anew; the backbone's ``provenance`` says which head it has.

    Args:
        name: ``tiny``, ``torchvision/<model>``, ``timm/<model>``, an installed plug-in or ``file.py:ClassName``.
        num_classes: number of logits.
        pretrained: start from the published weights, downloaded by torchvision or timm where they are not cached.
        weights: start from a checkpoint file in the architecture's own key layout.
        head_rows: make the head of these rows of the pretrained one, in this order (900 of ImageNet's 1000 classes).
        seed: fixes random weights and a new head.

    Raises:
        PluginError: no such model.
        ConfigError: options that contradict each other, or weights that cannot be downloaded, read or fitted.
    """
    architecture = find_architecture(name)
    _check(name, num_classes, pretrained=pretrained, weights=weights, head_rows=head_rows)
    provenance: dict[str, Any] = {"architecture": architecture.name}
    headless = False
    # Libraries initialise with the global generator: it is seeded for the construction and then put back.
    with torch_seeded(stream(seed, name, "weights").seed()):
        if pretrained:
            model = architecture.build_pretrained()
            provenance["weights"] = architecture.pretrained_id
        elif weights is not None:
            checkpoint = read_checkpoint(weights)
            model, headless = _build_for(architecture, num_classes, checkpoint)
            provenance["weights"] = f"sha256:{checkpoint.sha256}"
        else:
            model = architecture.build(num_classes)
            provenance["weights"] = f"random, seed {seed}"
    backbone = Backbone(name, architecture.cut(model), {**provenance, "head": "as in the weights"})
    if head_rows is not None:
        if headless:
            raise ConfigError(f"{weights} has no head to take rows of. Leave head_rows out to start a new head.")
        _slice_head(backbone, head_rows)
    elif headless or backbone.num_classes != num_classes:
        _renew_head(backbone, num_classes, seed)
    return backbone


def find_architecture(name: str) -> Architecture:
    """Return the architecture that answers to ``name``; see ``load_backbone``.

    Raises:
        PluginError: nothing answers to the name.
        ConfigError: it is one of the user's own that cannot be built without options.
    """
    library, _, model = name.partition("/")
    if library == "torchvision":
        # Importing one library must not need, nor wait for, the other.
        from occbench.models.torchvision_models import TorchvisionArchitecture

        return TorchvisionArchitecture(model)
    if library == "timm":
        from occbench.models.timm_models import TimmArchitecture

        return TimmArchitecture(model)
    by_name = plugin_names("models")
    if ".py:" not in name and name not in by_name:
        known = ", ".join([*by_name, "timm/<model>", "torchvision/<model>"])
        raise PluginError(
            f"no model is called {name!r}. Known: {known}. A file of your own is given as path/to/file.py:ClassName."
        )
    return build_plugin(name, "models", Architecture, {})


def _check(
    name: str, num_classes: int, *, pretrained: bool, weights: Path | None, head_rows: Sequence[int] | None
) -> None:
    if num_classes < 1:
        raise ConfigError(f"{name} needs at least one class, found {num_classes}. Check the dataset's classes.")
    if pretrained and weights is not None:
        raise ConfigError(f"{name} is asked for its published weights and for {weights}. Give one of the two.")
    if head_rows is None:
        return
    if not pretrained and weights is None:
        raise ConfigError(
            f"head_rows takes rows of a pretrained head, but {name} starts random. Give pretrained or --weights."
        )
    if len(head_rows) != num_classes:
        raise ConfigError(f"head_rows gives {len(head_rows)} rows for {num_classes} classes. Give one row per class.")


def _build_for(architecture: Architecture, num_classes: int, checkpoint: Checkpoint) -> tuple[nn.Module, bool]:
    """Return the network with the checkpoint's weights, and whether the checkpoint has no head."""
    model = architecture.build(num_classes)
    classifier = architecture.classifier(model)
    linear = model.get_submodule(classifier)
    headless = not any(name.startswith(f"{classifier}.") for name in checkpoint.tensors)
    held = checkpoint.tensors.get(f"{classifier}.weight")
    if headless:
        model.set_submodule(classifier, nn.Identity())
    elif held is not None and held.ndim == 2 and isinstance(linear, nn.Linear):
        # The head that the checkpoint was trained with is rebuilt first, so that every tensor of it must fit.
        model.set_submodule(classifier, nn.Linear(linear.in_features, held.shape[0], bias=linear.bias is not None))
    load_weights(model, checkpoint)
    if headless:
        model.set_submodule(classifier, linear)
    return model, headless


def _slice_head(backbone: Backbone, rows: Sequence[int]) -> None:
    linear = last_linear(backbone.head)
    backbone.head = replace_last_linear(backbone.head, slice_linear(linear, rows))
    backbone.provenance |= {"head": f"rows of {linear.out_features}", "head_rows": list(rows)}


def _renew_head(backbone: Backbone, num_classes: int, seed: int) -> None:
    linear = new_linear(backbone.dim, num_classes, stream(seed, backbone.name, "head").seed())
    backbone.head = replace_last_linear(backbone.head, linear)
    backbone.provenance["head"] = f"re-initialised, seed {seed}"
