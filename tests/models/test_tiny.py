"""The embedded network learns the embedded images."""

import numpy as np
import pytest
import torch
from torch import nn

from occbench.models.load import load_backbone
from occbench.models.tiny import Tiny
from occbench.sources.toyparts import ToyParts


def test_cut_gives_the_whole_networks_logits_exactly():
    network = Tiny().build(5).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = network(images)
        cut = Tiny().cut(network)
        assert torch.equal(cut.head(cut.trunk(images)), expected)
        assert cut.trunk(images).shape == (2, 128)
        assert cut.trunk.features(images).shape == (2, 128, 4, 4)
    assert cut.size_px == 64


def test_another_libraries_network_is_refused():
    with pytest.raises(TypeError, match="tiny cannot cut a Linear"):
        Tiny().cut(nn.Linear(2, 2))


def toy_images(split, images_per_class):
    source = ToyParts(images_per_class=images_per_class, size_px=64, split=split)
    examples = [source[index] for index in range(len(source))]
    images = torch.from_numpy(np.stack([example.image for example in examples])).permute(0, 3, 1, 2).contiguous()
    return images, torch.tensor([example.labels[0] for example in examples])


@pytest.mark.slow
def test_tiny_learns_the_toy_images_within_a_minute_of_two_cores():
    images, labels = toy_images("train", 100)
    backbone = load_backbone("tiny", 12)
    epochs, batch = 16, 64
    optimiser = torch.optim.SGD(backbone.parameter_groups(0.1, 0.1), momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, total_steps=epochs * (len(images) // batch))
    generator = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        order = torch.randperm(len(images), generator=generator)
        for chosen in order[: len(images) // batch * batch].split(batch):
            loss = nn.functional.cross_entropy(backbone(backbone.normalise(images[chosen])), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    test_images, test_labels = toy_images("test", 40)
    backbone.eval()
    with torch.no_grad():
        accuracy = (backbone(backbone.normalise(test_images)).argmax(1) == test_labels).float().mean()
    assert accuracy >= 0.9
