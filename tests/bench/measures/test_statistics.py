"""Coverage is proven on a hierarchical model: logit P(right) = image difficulty + pattern effect (+ class, + seed)."""

import numpy as np
import pytest
from scipy.special import expit, ndtri

from occbench.bench.measures.metrics import avg_over_occlusion
from occbench.bench.measures.outcomes import Outcomes
from occbench.bench.measures.statistics import clustered_interval, seed_spread, wilson
from occbench.core.errors import ConfigError, DatasetError
from occbench.core.seeding import stream
from occbench.core.types import CLEAN, Condition

REPLICATIONS = 2000
PATTERNS = np.linspace(-1.5, 1.0, 24)
CONDITIONS = (CLEAN, *(Condition(f"p{i}", "patterns", "20c" if i < 12 else "20r") for i in range(len(PATTERNS))))
DIFFICULTY_SD = 1.5


def normals(*names_and_shape, shape):
    return ndtri(stream(0, "test-statistics", *names_and_shape).uniforms(*shape) + 2.0**-54)


def true_average(spread=DIFFICULTY_SD, patterns=PATTERNS):
    """The mean over patterns and all images there could be."""
    images = spread * ndtri((np.arange(4000) + 0.5) / 4000)
    return float(expit(images[:, None] + patterns).mean())


def replications(n_images, image_effects, name="coverage"):
    """Yield bool[n_images, 1 + patterns] per replication, the clean column first."""
    logits = np.concatenate([[2.0], PATTERNS])
    for number, effects in enumerate(image_effects):
        uniforms = stream(number, "test-statistics", name, "cells").uniforms(n_images, len(logits))
        yield uniforms < expit(effects[:, None] + logits)


def coverage(truth, intervals):
    return np.mean([interval.low <= truth <= interval.high for interval in intervals])


@pytest.fixture(scope="module")
def samples():
    n_images = 120
    effects = DIFFICULTY_SD * normals("images", shape=(REPLICATIONS, n_images))
    labels = np.zeros(n_images, dtype=np.int64)
    return [Outcomes(cells, labels, CONDITIONS) for cells in replications(n_images, effects)]


def test_clustered_intervals_cover_what_they_promise(samples):
    assert 0.93 <= coverage(true_average(), [clustered_interval(sample) for sample in samples]) <= 0.97


def test_one_group_and_another_confidence(samples):
    intervals = [clustered_interval(sample, "20r", confidence=0.8) for sample in samples]
    assert 0.77 <= coverage(true_average(patterns=PATTERNS[12:]), intervals) <= 0.83


def test_intervals_that_take_cells_for_independent_do_not_cover(samples):
    covered = []
    for sample in samples:
        share, cells = avg_over_occlusion(sample), sample.correct[:, 1:].size
        covered.append(abs(share - true_average()) <= 1.96 * np.sqrt(share * (1 - share) / cells))
    assert np.mean(covered) < 0.75


def test_intervals_cover_when_most_cells_are_missing(samples):
    intervals = []
    for number, sample in enumerate(samples):
        uniforms = stream(number, "test-statistics", "seen").uniforms(*sample.correct.shape)
        part = Outcomes(sample.correct, sample.labels, CONDITIONS, seen=uniforms < 0.3)
        intervals.append(clustered_interval(part))
        assert intervals[-1].n_cells == np.count_nonzero(part.seen[:, 1:])
    assert 0.93 <= coverage(true_average(), intervals) <= 0.97


def test_clustering_by_class_covers_where_classes_differ_and_clustering_by_image_does_not():
    classes, per_class = 40, 5
    labels = np.repeat(np.arange(classes), per_class)
    class_effects = normals("classes", shape=(REPLICATIONS, classes))[:, labels]
    effects = class_effects + 0.5 * normals("images of classes", shape=(REPLICATIONS, len(labels)))
    samples = [Outcomes(cells, labels, CONDITIONS) for cells in replications(len(labels), effects, "classes")]
    truth = true_average(spread=np.sqrt(1.25))
    assert 0.93 <= coverage(truth, [clustered_interval(s, cluster="class") for s in samples]) <= 0.97
    assert coverage(truth, [clustered_interval(s) for s in samples]) < 0.9


def test_all_cells_seen_is_the_full_matrix(samples):
    full = samples[0]
    seen = Outcomes(full.correct, full.labels, CONDITIONS, seen=np.ones(full.correct.shape, dtype=bool))
    for left, right in [(clustered_interval(full), clustered_interval(seen))]:
        assert (left.value, left.low, left.high) == pytest.approx((right.value, right.low, right.high))
        assert (left.n_images, left.n_cells) == (right.n_images, right.n_cells) == (120, 120 * 24)


def test_the_full_matrix_interval_is_the_t_interval_of_the_images_means(samples):
    interval = clustered_interval(samples[0])
    means = samples[0].correct[:, 1:].mean(axis=1)
    assert interval.value == pytest.approx(means.mean())
    assert interval.high - interval.value == pytest.approx(1.9801 * means.std(ddof=1) / np.sqrt(120), rel=1e-4)


def test_seeds_and_images_together_are_covered_only_by_the_combined_interval():
    n_images, n_seeds, seed_sd = 100, 4, 0.4
    labels = np.zeros(n_images, dtype=np.int64)
    truth = true_average(spread=np.hypot(DIFFICULTY_SD, seed_sd))
    sampling, combined = [], []
    for number in range(500):
        images = DIFFICULTY_SD * normals(number, "images", shape=(n_images,))
        seeds = seed_sd * normals(number, "seeds", shape=(n_seeds, 1))
        cells = replications(n_images, images + seeds, f"seeds {number}")
        spread = seed_spread([Outcomes(matrix, labels, CONDITIONS) for matrix in cells])
        sampling.append(spread.sampling)
        combined.append(spread.combined)
    assert 0.93 <= coverage(truth, combined) <= 0.985
    assert coverage(truth, sampling) < 0.92


def test_seed_spread_of_equal_seeds_is_the_sampling_interval(samples):
    spread = seed_spread([samples[0]] * 3)
    assert spread.between_seeds == 0
    assert (spread.combined.low, spread.combined.high) == pytest.approx((spread.sampling.low, spread.sampling.high))
    alone = clustered_interval(samples[0])
    assert (spread.sampling.low, spread.sampling.high) == pytest.approx((alone.low, alone.high))


def test_seed_spread_reports_the_seeds_mean_and_deviation(samples):
    spread = seed_spread(samples[:3])
    shares = [avg_over_occlusion(sample) for sample in samples[:3]]
    assert spread.sampling.value == spread.combined.value == pytest.approx(np.mean(shares))
    assert spread.between_seeds == pytest.approx(np.std(shares, ddof=1))
    assert spread.n_seeds == 3


def test_wilson_matches_its_formula():
    hits, trials, z = 8, 10, 1.959964
    centre = (hits + z**2 / 2) / (trials + z**2)
    half = z / (trials + z**2) * np.sqrt(hits * (trials - hits) / trials + z**2 / 4)
    interval = wilson(hits, trials)
    assert (interval.low, interval.value, interval.high) == pytest.approx((centre - half, 0.8, centre + half), rel=1e-5)
    assert wilson(10, 10).low < wilson(10, 10).high == 1


def test_what_cannot_be_said_is_refused(samples):
    with pytest.raises(ConfigError, match="at least 2 class clusters"):
        clustered_interval(samples[0], cluster="class")
    with pytest.raises(ConfigError, match="at least 2 of them, found 1"):
        seed_spread(samples[:1])
    with pytest.raises(ConfigError, match="share in"):
        clustered_interval(samples[0], confidence=95)
    with pytest.raises(ConfigError, match="found 3 of 2"):
        wilson(3, 2)
    short = Outcomes(samples[1].correct[:50], samples[1].labels[:50], CONDITIONS)
    with pytest.raises(DatasetError, match="same test set"):
        seed_spread([samples[0], short])
