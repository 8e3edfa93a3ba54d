"""A test set: clean images, the conditions that are its columns, and what puts these on them."""

from dataclasses import dataclass, field

import torch

from occbench.bench.batches.resident import Resident
from occbench.bench.images.images import ImageSet
from occbench.bench.images.materials import Materials
from occbench.bench.scoring.label_predictions import labels_identity
from occbench.core.canonical import fingerprint
from occbench.core.types import CLEAN, Condition
from occbench.data.render import Renderer

__all__ = ["TestSet", "test_set"]


@dataclass(frozen=True, eq=False)
class TestSet:
    """What a model is scored on.

    Attributes:
        images: clean test images.
        renderer: puts the conditions on them.
        conditions: the columns, ``clean`` first where it is one of them.
        fingerprint: of images, labels and overlays; runs are compared only where it is equal.
    """

    __test__ = False  # not a test case, whatever its name

    images: ImageSet
    renderer: Renderer
    conditions: tuple[Condition, ...]
    fingerprint: str
    _residents: dict[torch.device, Resident] = field(default_factory=dict, repr=False)

    @property
    def occluded(self) -> tuple[Condition, ...]:
        """The columns but ``clean``."""
        return tuple(condition for condition in self.conditions if condition.name != CLEAN.name)

    def on(self, device: torch.device) -> Resident:
        """Return the images and overlays as they stand on a device; kept with this test set and its copies."""
        if device not in self._residents:
            self._residents[device] = Resident(self.images, self.renderer, device)
        return self._residents[device]


def test_set(materials: Materials) -> TestSet:
    """Return the test set of a benchmark's materials."""
    test = materials.test
    named = [materials.benchmark.test_recipe().pixels_fingerprint(), list(test.keys), labels_identity(test.labels)]
    return TestSet(test, materials.renderer, materials.test_conditions, fingerprint(named))


test_set.__test__ = False  # type: ignore[attr-defined]  # not a test case, whatever its name
