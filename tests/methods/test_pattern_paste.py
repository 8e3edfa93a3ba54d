"""Pattern paste: the patterns of the pairs, put on as everywhere, on a share of the images."""

import pytest
import torch

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.training.training_run import Prediction, Training, generator
from occbench.core.errors import ConfigError
from occbench.core.training import Method
from occbench.methods.pattern_paste import PatternPaste


@pytest.fixture
def run_of(make_pipeline, tiny_materials):
    """Return a function that makes a run on materials with changes."""

    def make(seed=0, **changes):
        materials = tiny_materials(**changes)
        arm = next(iter(materials.benchmark.arms.values()))
        run = Training(make_pipeline(), materials, arm, ActivationCache(), 0)
        run.draws = generator(seed, "paste")
        return run, materials

    return make


def test_every_image_is_one_of_the_patterns_on_it_or_left_alone(run_of):
    run, materials = run_of()
    images, labels = materials.train.images[:24].float(), materials.train.labels[:24]
    rendered, used, alone = materials.pair_renderer, set(), 0
    for _ in range(10):
        changed, targets = PatternPaste(0.7).augment(run, images, labels)
        assert targets is labels
        for example, image, before in zip(materials.train.examples, changed, images, strict=False):
            if torch.equal(image, before):
                alone += 1
                continue
            made = [
                item.name
                for item in rendered.conditions
                if (rendered.render(example, item)[0] == image.permute(1, 2, 0).byte().numpy()).all()
            ]
            assert made
            used.update(made)
    assert used == {item.name for item in rendered.conditions}
    assert abs(alone / 240 - 0.3) < 0.12
    assert torch.equal(images, materials.train.images[:24].float())


def test_the_hidden_share_is_the_probability_times_the_mean_ratio(run_of):
    run, _ = run_of()
    white = torch.full((2000, 3, 32, 32), 300.0)  # a level that no overlay has
    hidden = (PatternPaste().augment(run, white - 45, torch.zeros(2000))[0] != 255).any(1).float().mean().item()
    ratios = (run.overlays()[:, 3] > 0).float().mean().item()
    assert abs(hidden - 0.9 * ratios) < 0.01


def test_images_that_get_no_pattern_keep_their_fractions(run_of):
    run, materials = run_of()
    images = materials.train.images[:12].float() * 0.99
    assert torch.equal(PatternPaste(0.0).augment(run, images, materials.train.labels[:12])[0], images)
    changed, _ = PatternPaste(1.0).augment(run, images, materials.train.labels[:12])
    assert torch.equal(changed, changed.round())
    assert ((changed - images).abs() <= 0.5).float().mean() > 0.5


def test_draws_decide(run_of):
    def made(seed):
        run, materials = run_of(seed)
        return PatternPaste().augment(run, materials.train.images[:12].float(), materials.train.labels[:12])[0]

    assert torch.equal(made(1), made(1))
    assert not torch.equal(made(1), made(2))
    assert PatternPaste.predict is Method.predict


def test_patterns_that_depend_on_the_image_are_refused_in_one_line(run_of):
    run, materials = run_of(pair_occlusions=[{"name": "patch_drop"}], arms={"P": {"method": {"name": "pattern_paste"}}})
    with pytest.raises(ConfigError, match=r"patchdrop-20 depends on the image.*Set pair_occlusions"):
        PatternPaste().augment(run, materials.train.images[:2].float(), materials.train.labels[:2])


def test_overlays_are_for_training_alone(make_pipeline):
    with pytest.raises(ConfigError, match="while it predicts"):
        Prediction(make_pipeline()).overlays()
