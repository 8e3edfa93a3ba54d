"""What the source is for: a small network learns it, and hiding what tells twins apart hurts."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

from occbench.core.types import Example
from occbench.sources.toyparts import ToyParts
from occbench.sources.toyparts_drawing.classes import CLASSES

if TYPE_CHECKING:
    from torch import Tensor, nn


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a minute on two idle cores
def test_a_small_network_learns_the_classes_and_loses_them_with_the_discriminative_part():
    """Four convolutions reach 90 % on held-out images, fall by far when the part that tells twins apart is black."""
    accuracy = accuracies()
    assert 0.9 <= accuracy["clean"] < 0.995
    assert accuracy["clean"] - accuracy["part hidden"] > 0.15
    assert accuracy["clean"] - accuracy["background hidden"] < 0.06


def accuracies() -> dict[str, float]:
    """Train once, then score clean images, those without the part, and those with as much background blackened."""
    train = [(e.image, e.labels[0]) for e in drawn(ToyParts(images_per_class=200, size_px=64, split="train"))]
    test = list(drawn(ToyParts(images_per_class=30, size_px=64, split="test")))
    network = trained_network(train, epochs=18)
    labels = np.array([e.labels[0] for e in test])
    nothing = [np.zeros_like(e.object_mask) for e in test]
    part = [e.parts[CLASSES[ToyParts().classes[e.labels[0]]].discriminative] for e in test]
    background = [moved_off(mask, e.object_mask) for mask, e in zip(part, test, strict=True)]
    return {
        name: float(np.mean(predicted(network, list(map(blackened, [e.image for e in test], masks))) == labels))
        for name, masks in (("clean", nothing), ("part hidden", part), ("background hidden", background))
    }


def drawn(source: ToyParts) -> Iterator[Example]:
    return (source[index] for index in range(len(source)))


def blackened(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.where(mask[..., None], np.uint8(0), image)


def moved_off(mask: np.ndarray, object_mask: np.ndarray) -> np.ndarray:
    """The mask moved, around the image's edges, to where it overlaps the object least, less that overlap."""
    shifts = itertools.product(range(0, len(mask), 4), repeat=2)
    moved = min((np.roll(mask, shift, (0, 1)) for shift in shifts), key=lambda place: (place & object_mask).sum())
    return moved & ~object_mask


def as_batch(images: list[np.ndarray]) -> "Tensor":
    import torch

    return (torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25


def predicted(network: "nn.Module", images: list[np.ndarray]) -> np.ndarray:
    import torch

    with torch.inference_mode():
        return network.eval()(as_batch(images)).argmax(1).numpy()


def trained_network(pairs: list[tuple[np.ndarray, int]], epochs: int) -> "nn.Module":
    """A four-convolution network, trained with mirrored and shifted images."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    blocks = []
    for wide, wider, stride in ((3, 32, 2), (32, 64, 2), (64, 128, 2), (128, 192, 1)):
        convolution = nn.Conv2d(wide, wider, 3, padding=1, stride=stride, bias=False)
        blocks += [convolution, nn.BatchNorm2d(wider), nn.ReLU()]
    network = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(192, 12))
    images, labels = as_batch([image for image, _ in pairs]), torch.tensor([label for _, label in pairs])
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    steps = epochs * len(labels.split(64))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    for _ in range(epochs):
        for batch in torch.randperm(len(labels)).split(64):
            mirror = (torch.rand(len(batch)) < 0.5)[:, None, None, None]
            views = torch.where(mirror, images[batch].flip(3), images[batch])
            views = views.roll(torch.randint(-5, 6, (2,)).tolist(), (2, 3))
            loss = nn.functional.cross_entropy(network(views), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network
