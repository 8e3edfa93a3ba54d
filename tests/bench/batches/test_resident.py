"""A device that holds all, some or none of the images gives the same pixels, and holds no more than it may."""

import numpy as np
import pytest
import torch

from occbench.bench.batches.resident import Resident
from occbench.bench.images.images import ImageSet, load_images, render_batch
from occbench.bench.images.pixel_store import PixelStore
from occbench.core.prepare import Prepare
from occbench.core.types import CLEAN
from occbench.data.render import Renderer
from occbench.occlusions.patch_drop import PatchDrop
from occbench.occlusions.patterns import Patterns
from occbench.sources.toyparts import ToyParts

CPU = torch.device("cpu")
IMAGE_BYTES = 32 * 32 * 3
BUDGETS = {"none": 0, "five images": 5 * IMAGE_BYTES + 7, "all": 100 * IMAGE_BYTES}


@pytest.fixture(scope="module", params=["memory", "files"])
def images(request, tmp_path_factory):
    store = PixelStore(tmp_path_factory.mktemp("store"), 0, part_bytes=4 * IMAGE_BYTES)
    source = ToyParts(images_per_class=1, size_px=32)
    where = store if request.param == "files" else None
    return load_images(source, range(12), Prepare(size_px=32), {label: label for label in range(12)}, where)


@pytest.fixture(params=BUDGETS)
def budget(request):
    return BUDGETS[request.param]


@pytest.fixture(scope="module", params=[Patterns(ratios=(0.2,)), PatchDrop()], ids=["shared", "per image"])
def renderer(request):
    return Renderer([request.param], 5)


def test_it_holds_what_the_budget_allows(images, renderer, budget):
    assert Resident(images, renderer, CPU, budget).held == min(12, budget // IMAGE_BYTES)


@pytest.mark.parametrize("rows", [slice(None), slice(0, 5), slice(3, 9), slice(6, 12), slice(4, 4)])
def test_slices_are_those_of_the_images(images, renderer, budget, rows):
    assert torch.equal(Resident(images, renderer, CPU, budget).clean(rows), images.images[rows])


@pytest.mark.parametrize("rows", [[0, 4, 2, 2], [11, 8, 9], [7, 0, 11, 4, 5, 0], []])
def test_rows_in_any_order_are_those_of_the_images(images, renderer, budget, rows):
    numbers = torch.tensor(rows, dtype=torch.int64)
    assert torch.equal(Resident(images, renderer, CPU, budget).clean(numbers), images.images[numbers])


def test_rendered_as_without_residence(images, renderer, budget):
    resident = Resident(images, renderer, CPU, budget)
    for condition in (CLEAN, *renderer.conditions[:5]):
        for rows in (slice(0, 4), slice(3, 8), slice(8, 12)):
            expected = render_batch(images, rows, condition, renderer, CPU)
            assert torch.equal(resident.render(rows, condition), expected)
    numbers = np.array([9, 0, 5, 0, 4])
    conditions = [renderer.conditions[number % len(renderer.conditions)] for number in range(5)]
    cells = resident.render_cells(numbers, conditions)
    for found, row, condition in zip(cells, numbers.tolist(), conditions, strict=True):
        assert torch.equal(found, render_batch(images, slice(row, row + 1), condition, renderer, CPU)[0])


def test_held_images_are_read_once_and_the_others_each_time(images, renderer):
    read = []
    pixels = images.images

    class Counted:
        shape = pixels.shape

        def __len__(self):
            return len(pixels)

        def __getitem__(self, rows):
            read.append(rows)
            return pixels[rows]

    counted = ImageSet(images.keys, images.labels, Counted(), images.examples)
    resident = Resident(counted, renderer, CPU, 8 * IMAGE_BYTES)
    for _ in range(3):
        for start in range(0, 12, 4):
            resident.render(slice(start, start + 4), renderer.conditions[0])
    assert read == [slice(0, 8), *[slice(8, 12)] * 3]


def test_on_the_cpu_nothing_is_held_and_nothing_copied(images, renderer):
    resident = Resident(images, renderer, CPU)
    assert resident.held == 0
    if not isinstance(images.images.arrays[0], np.memmap):
        assert np.shares_memory(resident.clean(slice(2, 5)).numpy(), images.images.arrays[0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_renders_what_the_cpu_does(images, renderer, budget):
    here, there = (Resident(images, renderer, torch.device(name), budget) for name in ("cpu", "cuda"))
    assert there.held == here.held
    conditions = [renderer.conditions[number % len(renderer.conditions)] for number in range(6)]
    for rows in (slice(0, 5), slice(3, 9), slice(6, 12)):
        for condition in (CLEAN, *conditions):
            assert torch.equal(there.render(rows, condition).cpu(), here.render(rows, condition))
    numbers = np.array([9, 0, 5, 0, 4, 11])
    found = there.render_cells(numbers, conditions)
    assert found.is_cuda
    assert torch.equal(found.cpu(), here.render_cells(numbers, conditions))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_holds_a_set_that_fits(images, renderer):
    resident = Resident(images, renderer, torch.device("cuda"))
    assert resident.held == 12
