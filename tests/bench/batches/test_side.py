"""Side vectors: computed once for images that come again, rounded alike whether they are kept or not."""

from pathlib import Path

import pytest
import torch

from occbench.bench.batches.batch import ImageBatch
from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.batches.side import side_dim, side_vectors
from occbench.bench.training.training_run import Prediction
from occbench.core.errors import ConfigError, PluginError

#: A small frozen network that writes down which images it is shown.
EXTRACTOR = '''
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
import torch
from occbench.core.networks import Extractor

@dataclass(frozen=True)
class Convolution(Extractor):
    """Means of a random convolution's answers."""
    log: str
    gain: float = 1.0

    @property
    def dim(self):
        return 5

    @cached_property
    def weight(self):
        return torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(0))

    def vectors(self, pixels, names):
        assert not torch.is_grad_enabled()
        with Path(self.log).open("a") as file:
            file.writelines(f"{name}\\n" for name in names)
        return self.gain * torch.conv2d(pixels / 255, self.weight).relu().mean((2, 3))
'''


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "seen.txt"
    path.touch()
    return path


@pytest.fixture
def asked(tmp_path, log):
    """Return (name, options) of the extractor."""
    (tmp_path / "convolution.py").write_text(EXTRACTOR)
    return f"{tmp_path / 'convolution.py'}:Convolution", {"log": str(log)}


def seen(log):
    return log.read_text().splitlines()


def pixels(count, first=0):
    draws = torch.Generator().manual_seed(7)
    return (255 * torch.rand(first + count, 3, 8, 8, generator=draws))[first:]


def batch(names, images=None):
    """Return a batch; without names its images come once, with them they are those of the numbers in the names."""
    if images is None:
        images = torch.cat([pixels(1, int(name)) for name in names])
    return ImageBatch(lambda: images, lambda: images[:, :1], names)


def test_an_image_with_a_name_is_computed_once(asked, log):
    cache = ActivationCache()
    first = side_vectors(*asked, batch(["0", "1", "2"]), cache)
    assert seen(log) == ["0", "1", "2"]
    second = side_vectors(*asked, batch(["2", "3", "0"]), cache)
    assert seen(log) == ["0", "1", "2", "3"]
    assert torch.equal(second[[2, 0]], first[[0, 2]])
    assert torch.equal(side_vectors(*asked, batch(["1", "0"]), cache), first[[1, 0]])
    assert len(seen(log)) == 4


def test_an_image_that_stands_in_a_batch_twice_is_computed_once(asked, log):
    """The last batch of a test set is filled up with its last image."""
    found = side_vectors(*asked, batch(["0", "1", "1", "1"]), ActivationCache())
    assert seen(log) == ["0", "1"]
    assert torch.equal(found[1:], found[[1, 1, 1]])
    assert not torch.equal(found[0], found[1])


def test_kept_vectors_are_the_recomputed_ones_bit_for_bit(asked):
    names, cache = [str(number) for number in range(6)], ActivationCache()
    first = side_vectors(*asked, batch(names), cache)
    kept = side_vectors(*asked, batch(names), cache)
    recomputed = side_vectors(*asked, batch(names), ActivationCache())
    unnamed = side_vectors(*asked, batch(None, pixels(6)), ActivationCache())
    assert torch.equal(kept, first)
    assert torch.equal(recomputed, first)
    assert torch.equal(unnamed, first)


def test_images_without_a_name_are_computed_every_time(asked, log):
    cache, images = ActivationCache(), pixels(3)
    for calls in (1, 2):
        side_vectors(*asked, batch(None, images), cache)
        assert len(seen(log)) == 3 * calls
    # what an extractor draws goes by the name: another image, another draw, and the same when a run is resumed
    assert len(set(seen(log))) == 3
    assert seen(log)[:3] == seen(log)[3:]


def test_vectors_are_float32_rounded_to_half_precision(asked):
    name, options = asked
    for names in (None, ["0", "1", "2", "3"]):
        found = side_vectors(name, options, batch(names, pixels(4)), ActivationCache())
        assert found.shape == (4, side_dim(name, options)) == (4, 5)
        assert found.dtype == torch.float32
        assert torch.equal(found, found.half().float())
        assert not found.requires_grad
    weight = torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    exact = torch.conv2d(pixels(4) / 255, weight).relu().mean((2, 3))
    assert torch.equal(found, exact.half().float())
    assert not torch.equal(found, exact)


def test_what_exceeds_the_memory_is_recomputed_to_the_same(asked, log):
    none = ActivationCache(budget_bytes=0)
    first = side_vectors(*asked, batch(["0", "1"]), none)
    assert torch.equal(side_vectors(*asked, batch(["0", "1"]), none), first)
    assert seen(log) == ["0", "1", "0", "1"]


def test_other_options_are_other_vectors(asked):
    name, options = asked
    cache = ActivationCache()
    one = side_vectors(name, options, batch(["0"]), cache)
    assert torch.equal(side_vectors(name, {**options, "gain": 2.0}, batch(["0"]), cache), 2 * one)
    assert torch.equal(side_vectors(name, options, batch(["0"]), cache), one)


def test_the_classifiers_precision_is_not_the_extractors(asked):
    exact = side_vectors(*asked, batch(None, pixels(4)), ActivationCache())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        reduced = side_vectors(*asked, batch(None, pixels(4)), ActivationCache())
    assert torch.equal(reduced, exact)


def test_a_run_gives_those_of_its_present_batch(asked, make_pipeline):
    run = Prediction(make_pipeline(), ActivationCache())
    assert run.side_dim(*asked) == 5
    run.batch = batch(["0", "1"])
    first = run.side_vectors(*asked)
    run.batch = batch(["4"])
    assert torch.equal(run.side_vectors(*asked), side_vectors(*asked, batch(["4"]), ActivationCache()))
    assert first.shape == (2, 5)


def test_a_wrong_extractor_or_option_is_said_in_one_line(asked):
    name, options = asked
    with pytest.raises(PluginError, match="no extractor is called 'nothing'"):
        side_dim("nothing", {})
    with pytest.raises(ConfigError, match=r"has no option colour\. Its options: gain, log"):
        side_dim(name, {**options, "colour": "red"})
    with pytest.raises(PluginError, match="there is no file"):
        side_dim(f"{Path(name).parent}/none.py:Convolution", {})
