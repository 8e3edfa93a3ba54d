"""``timm/<name>``: the networks of timm, cut by timm's own API (``forward_features``, ``forward_head``)."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, TypeAlias

import timm
from timm.data import resolve_model_data_config
from timm.layers import Format
from timm.models import ResNet, VisionTransformer, group_parameters
from torch import Tensor, nn

from occbench.core.errors import ConfigError, PluginError
from occbench.core.messages import did_you_mean, first_line
from occbench.core.networks import Architecture, Cut
from occbench.core.trunk import TokenMap, Trunk

__all__ = ["TimmArchitecture"]

#: timm's networks share methods, not a class: forward_features, forward_head, get_classifier, reset_classifier.
_TimmModel: TypeAlias = Any


@dataclass(frozen=True)
class TimmArchitecture(Architecture):
    """A network of timm.

    Attributes:
        model: ``convnext_tiny``, or with the tag of one set of published weights, ``convnext_tiny.fb_in1k``.
    """

    model: str

    def __post_init__(self) -> None:
        if not timm.is_model(self.model):
            hint = did_you_mean(self.model.partition(".")[0], timm.list_models(), "See timm.list_models().", 3)
            raise PluginError(f"timm has no network {self.model!r}. {hint}")
        builder, _, tag = self.model.partition(".")
        tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{builder}.*")]
        if tag and tag not in tags:
            raise PluginError(f"{builder} has no published weights {tag!r}. It has: {', '.join(tags) or 'none'}.")

    @property
    def name(self) -> str:
        """``timm/`` and the model."""
        return f"timm/{self.model}"

    @property
    def pretrained_id(self) -> str:
        """The published weights' name, e.g. ``resnet18.a1_in1k``."""
        config = timm.get_pretrained_cfg(self.model)
        return f"{config.architecture}.{config.tag}"

    def build(self, num_classes: int) -> nn.Module:
        """Return the network with random weights."""
        model: nn.Module = timm.create_model(self.model, pretrained=False, num_classes=num_classes)
        return model

    def build_pretrained(self) -> nn.Module:
        """Return the network with its published weights, from the Hugging Face cache or download."""
        try:
            # Self-supervised weights have no classes; timm then adds a random head, which the caller replaces.
            classes = timm.get_pretrained_cfg(self.model).num_classes or 1
            model: nn.Module = timm.create_model(self.model, pretrained=True, num_classes=classes)
        except (OSError, RuntimeError) as error:
            raise ConfigError(
                f"the published weights of {self.name} cannot be downloaded ({first_line(error)}). "
                f"Download them elsewhere and give --weights {self.name}=FILE."
            ) from error
        return model

    def classifier(self, model: nn.Module) -> str:
        """Return the name of the last linear layer.

        Raises:
            ConfigError: the network has several classifiers (distilled ones) or none.
        """
        head = model.get_classifier()  # type: ignore[operator]
        names = [name for name, layer in model.named_modules() if layer is head]
        if len(names) != 1 or not isinstance(head, nn.Linear):
            raise ConfigError(
                f"{self.name} does not end in one linear layer, so it has no deep feature vector. Use another."
            )
        return str(names[0])

    def cut(self, model: nn.Module) -> Cut:
        """Cut the network in front of its classifier."""
        head = model.get_submodule(self.classifier(model))
        trunk = _cut_resnet(model) if isinstance(model, ResNet) else _cut_any(model)
        config = resolve_model_data_config(model)
        return Cut(trunk, head, tuple(config["mean"]), tuple(config["std"]), int(config["input_size"][-1]))


def _cut_resnet(model: ResNet) -> Trunk:
    stem = nn.Sequential(OrderedDict((name, getattr(model, name)) for name in ("conv1", "bn1", "act1", "maxpool")))
    layers = {name: getattr(model, name) for name in ("layer1", "layer2", "layer3", "layer4")}
    return Trunk(nn.Sequential(OrderedDict(stem=stem, **layers)), model.global_pool)


def _cut_any(model: _TimmModel) -> Trunk:
    _let_positions_follow(model)
    last_stage = _last_stage(model)
    model.reset_classifier(0)
    kept = {name for name, _ in model.named_parameters()} & last_stage
    channels_last = getattr(model, "output_fmt", "NCHW") == "NHWC"
    stages = nn.Sequential(OrderedDict(features=_Features(model, channels_last)))
    to_map = TokenMap(model.num_prefix_tokens) if hasattr(model, "num_prefix_tokens") else None
    return Trunk(stages, _Pool(model, channels_last), to_map, {f"stages.features.model.{name}" for name in kept})


def _let_positions_follow(model: _TimmModel) -> None:
    """Let a plain vision transformer interpolate its positions for images of another size than it was built for."""
    if type(model) is VisionTransformer and model.pos_embed is not None:
        model.dynamic_img_size = True
        patches = model.patch_embed
        patches.strict_img_size, patches.flatten, patches.output_fmt = False, False, Format.NHWC


def _last_stage(model: _TimmModel) -> set[str]:
    # timm numbers the parameters by depth: 0 is the stem, then stages or blocks, then what follows them and the head.
    # A quarter of four stages is the last one; a quarter of twelve transformer blocks is the last three.
    groups = group_parameters(model, model.group_matcher(coarse=True))
    classifier = {id(parameter) for parameter in model.get_classifier().parameters()}
    by_name = dict(model.named_parameters())
    depths = sorted(
        depth
        for depth, names in groups.items()
        if depth > 0 and not any(id(by_name[name]) in classifier for name in names)
    )
    first = depths[-max(1, len(depths) // 4)]
    return {name for depth, names in groups.items() if depth >= first for name in names}


class _Features(nn.Module):
    """A whole timm network without its classifier; runs it up to the pooling."""

    def __init__(self, model: _TimmModel, channels_last: bool) -> None:
        super().__init__()
        self.model = model
        self.channels_last = channels_last

    def forward(self, images: Tensor) -> Tensor:
        activation: Tensor = self.model.forward_features(images)
        return activation.permute(0, 3, 1, 2) if self.channels_last else activation


class _Pool(nn.Module):
    """The pooling of a timm network; its layers belong to the stage before, so they are not registered twice."""

    def __init__(self, model: _TimmModel, channels_last: bool) -> None:
        super().__init__()
        self._model = (model,)
        self.channels_last = channels_last

    def forward(self, activation: Tensor) -> Tensor:
        activation = activation.permute(0, 2, 3, 1) if self.channels_last else activation
        vectors: Tensor = self._model[0].forward_head(activation, pre_logits=True)
        return vectors
