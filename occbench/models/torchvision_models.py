"""``torchvision/<name>``: the classification networks of torchvision, cut into trunk and head."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torchvision
from torch import nn
from torchvision.models import (
    ConvNeXt,
    DenseNet,
    EfficientNet,
    MobileNetV2,
    MobileNetV3,
    RegNet,
    ResNet,
    SwinTransformer,
    VisionTransformer,
    WeightsEnum,
    get_model,
    get_model_weights,
    list_models,
)
from torchvision.models.vgg import VGG

from occbench.core.errors import ConfigError, PluginError
from occbench.core.messages import did_you_mean, first_line
from occbench.core.networks import Architecture, Cut
from occbench.core.trunk import TokenMap, Trunk
from occbench.models.torchvision_stages import ClassToken, PatchTokens, stages_by_resolution

__all__ = ["TorchvisionArchitecture"]


@dataclass(frozen=True)
class TorchvisionArchitecture(Architecture):
    """A network of torchvision.

    Attributes:
        model: ``resnet18``, or with the name of one set of published weights, ``resnet50.IMAGENET1K_V2``. Without one,
            ``IMAGENET1K_V1`` where it exists: the V2 recipes trained with RandomErasing, MixUp and CutMix, which are
            themselves under test here.
    """

    model: str

    def __post_init__(self) -> None:
        known = list_models(module=torchvision.models)
        if self._builder not in known:
            hint = did_you_mean(self._builder, known, "See torchvision.models.list_models().", 3)
            raise PluginError(f"torchvision has no classification network {self._builder!r}. {hint}")
        tags = [weights.name for weights in get_model_weights(self._builder)]
        if self._tag and self._tag not in tags:
            raise PluginError(f"{self._builder} has no published weights {self._tag!r}. It has: {', '.join(tags)}.")

    @property
    def name(self) -> str:
        """``torchvision/`` and the model."""
        return f"torchvision/{self.model}"

    @property
    def pretrained_id(self) -> str:
        """The published weights' name and file, e.g. ``IMAGENET1K_V1 resnet50-0676ba61.pth``."""
        weights = self._weights
        return f"{weights.name} {weights.url.rsplit('/', 1)[-1]}"

    def build(self, num_classes: int) -> nn.Module:
        """Return the network with random weights."""
        model: nn.Module = get_model(self._builder, weights=None, num_classes=num_classes)
        return model

    def build_pretrained(self) -> nn.Module:
        """Return the network with its published weights, from torchvision's cache or download."""
        try:
            model: nn.Module = get_model(self._builder, weights=self._weights)
        except (OSError, RuntimeError) as error:
            raise ConfigError(
                f"the published weights of {self.name} cannot be downloaded ({first_line(error)}). "
                f"Download {self._weights.url} elsewhere and give --weights {self.name}=FILE."
            ) from error
        return model

    def classifier(self, model: nn.Module) -> str:
        """Return the name of the last linear layer."""
        return [str(name) for name, layer in model.named_modules() if isinstance(layer, nn.Linear)][-1]

    def cut(self, model: nn.Module) -> Cut:
        """Cut the network by its family's rule.

        Raises:
            PluginError: a family without a rule.
        """
        for family, cut in _CUTS.items():
            if isinstance(model, family):
                trunk, head = cut(model)
                preset = self._weights.transforms()
                return Cut(trunk, head, tuple(preset.mean), tuple(preset.std), self._size_px(model))
        families = ", ".join(family.__name__ for family in _CUTS)
        raise PluginError(f"{self.name} cannot be cut into trunk and head. Use one of the families {families}.")

    @property
    def _builder(self) -> str:
        return self.model.partition(".")[0]

    @property
    def _tag(self) -> str:
        return self.model.partition(".")[2]

    @property
    def _weights(self) -> WeightsEnum:
        choices = get_model_weights(self._builder)
        if self._tag:
            return choices[self._tag]
        return next((weights for weights in choices if weights.name == "IMAGENET1K_V1"), choices.DEFAULT)

    def _size_px(self, model: nn.Module) -> int:
        fixed = getattr(model, "image_size", None)
        return int(fixed if fixed is not None else self._weights.transforms().crop_size[0])


def _named(**stages: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(stages))


def _cut_resnet(model: ResNet) -> tuple[Trunk, nn.Module]:
    stem = nn.Sequential(OrderedDict((name, getattr(model, name)) for name in ("conv1", "bn1", "relu", "maxpool")))
    layers = {name: getattr(model, name) for name in ("layer1", "layer2", "layer3", "layer4")}
    return Trunk(_named(stem=stem, **layers), nn.Sequential(model.avgpool, nn.Flatten())), model.fc


def _cut_vgg(model: VGG) -> tuple[Trunk, nn.Module]:
    # fc7 after its ReLU is the feature vector; the last dropout masks it (and whatever is added to it) in the head.
    pool = nn.Sequential(model.avgpool, nn.Flatten(), *model.classifier[:-2])
    return Trunk(stages_by_resolution(model.features), pool), nn.Sequential(*model.classifier[-2:])


def _cut_convnext(model: ConvNeXt) -> tuple[Trunk, nn.Module]:
    pool = nn.Sequential(model.avgpool, *model.classifier[:-1])
    return Trunk(stages_by_resolution(model.features), pool), model.classifier[-1]


def _cut_swin(model: SwinTransformer) -> tuple[Trunk, nn.Module]:
    stages = stages_by_resolution([*model.features, model.norm, model.permute])
    return Trunk(stages, nn.Sequential(model.avgpool, model.flatten)), model.head


def _cut_vit(model: VisionTransformer) -> tuple[Trunk, nn.Module]:
    encoder = model.encoder
    tokens = PatchTokens(model.conv_proj, model.class_token, encoder.pos_embedding)
    blocks = list(encoder.layers)
    quarter = max(1, len(blocks) // 4)
    quarters = [blocks[start : start + quarter] for start in range(0, len(blocks), quarter)]
    quarters[-1].append(encoder.ln)
    stages = {f"stage{number}": nn.Sequential(*group) for number, group in enumerate(quarters, start=1)}
    stem = nn.Sequential(tokens, encoder.dropout)
    return Trunk(_named(stem=stem, **stages), ClassToken(), to_map=TokenMap(prefix_tokens=1)), model.heads


def _cut_efficientnet(model: EfficientNet) -> tuple[Trunk, nn.Module]:
    return Trunk(stages_by_resolution(model.features), nn.Sequential(model.avgpool, nn.Flatten())), model.classifier


def _cut_mobilenet_v3(model: MobileNetV3) -> tuple[Trunk, nn.Module]:
    pool = nn.Sequential(model.avgpool, nn.Flatten(), *model.classifier[:-2])
    return Trunk(stages_by_resolution(model.features), pool), nn.Sequential(*model.classifier[-2:])


def _cut_mobilenet_v2(model: MobileNetV2) -> tuple[Trunk, nn.Module]:
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Trunk(stages_by_resolution(model.features), pool), model.classifier


def _cut_densenet(model: DenseNet) -> tuple[Trunk, nn.Module]:
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Trunk(stages_by_resolution([*model.features, nn.ReLU(inplace=True)]), pool), model.classifier


def _cut_regnet(model: RegNet) -> tuple[Trunk, nn.Module]:
    stages = stages_by_resolution([model.stem, *model.trunk_output])
    return Trunk(stages, nn.Sequential(model.avgpool, nn.Flatten())), model.fc


_CUTS: Final[dict[type, Callable[[Any], tuple[Trunk, nn.Module]]]] = {
    ResNet: _cut_resnet,
    VGG: _cut_vgg,
    ConvNeXt: _cut_convnext,
    SwinTransformer: _cut_swin,
    VisionTransformer: _cut_vit,
    EfficientNet: _cut_efficientnet,
    MobileNetV3: _cut_mobilenet_v3,
    MobileNetV2: _cut_mobilenet_v2,
    DenseNet: _cut_densenet,
    RegNet: _cut_regnet,
}
