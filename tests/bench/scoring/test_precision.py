import numpy as np
import pytest
from scipy.special import ndtri

from occbench.bench.scoring.precision import CellDesign, estimate, score_until
from occbench.core.errors import ConfigError, DatasetError
from occbench.core.seeding import stream


def full_matrix(n_images, n_conditions, level=0.7):
    """A finite population: images, conditions and their interaction all matter."""
    random = stream(0, "test-precision", n_images, n_conditions)

    def normals(*shape):
        return ndtri(random.uniforms(*shape) + 2.0**-54)

    return level + 1.5 * normals(n_images, 1) + normals(1, n_conditions) + normals(n_images, n_conditions) > 0


def scored(design, blocks):
    seen = np.zeros((design.n_images, design.n_conditions), dtype=np.int64)
    for index in blocks:
        np.add.at(seen, design.block(index), 1)
    return seen


@pytest.mark.parametrize("sizes", [(240, 24, 4), (241, 24, 5), (7, 24, 4), (100, 1, 4), (60, 7, 2), (33, 5, 9)])
def test_the_blocks_hold_every_cell_exactly_once(sizes):
    design = CellDesign(*sizes, images_per_block=20)
    assert (scored(design, range(design.n_blocks)) == 1).all()


def test_every_block_scores_all_conditions_equally_often_and_each_image_a_few():
    design = CellDesign(240, 24, 4, images_per_block=24)
    for index in range(design.n_blocks):
        seen = scored(design, [index])
        assert set(seen.sum(axis=0)) == {4}
        assert set(seen.sum(axis=1)) == {0, 4}


def test_the_first_round_meets_every_image_before_any_meets_a_second_block():
    design = CellDesign(240, 24, 4, images_per_block=24)
    assert (scored(design, range(design.n_blocks // design.rounds)).sum(axis=1) == 4).all()


def test_the_order_is_a_function_of_the_seed():
    first, same, other = (CellDesign(240, 24, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.block(0), same.block(0))
    assert not np.array_equal(first.block(0), other.block(0))


def test_a_full_matrix_is_known_exactly():
    full = full_matrix(50, 6)
    found = estimate(full, np.ones_like(full))
    assert (found.value, found.half_width) == (pytest.approx(full.mean()), 0)
    assert (found.n_images, found.n_cells) == (50, 300)


def test_unseen_cells_are_not_read():
    full = full_matrix(300, 6)
    seen = scored(CellDesign(300, 6, 2, images_per_block=150), range(1)) == 1
    assert estimate(full, seen) == estimate(full & seen, seen) == estimate(full | ~seen, seen)


@pytest.mark.parametrize(
    "blocks", [6, pytest.param(20, marks=pytest.mark.slow), pytest.param(32, marks=pytest.mark.slow)]
)
def test_the_half_width_is_the_estimates_real_error(blocks):
    # of 20 (and the last squad's) blocks a round: part of the first round, all of it, part of the second
    full = full_matrix(400, 12)
    errors, claimed = [], []
    for seed in range(400):
        design = CellDesign(400, 12, 4, images_per_block=20, seed=seed)
        seen = scored(design, range(blocks)) == 1
        found = estimate(full, seen)
        errors.append(found.value - full.mean())
        claimed.append(found.half_width)
    assert np.mean(errors) == pytest.approx(0, abs=4 * np.std(errors) / 20)
    assert np.mean(claimed) == pytest.approx(1.96 * np.std(errors), rel=0.07)


@pytest.mark.parametrize(
    ("n_images", "n_conditions", "per_image", "half_width"),
    [
        (600, 24, 3, 0.02),
        pytest.param(3000, 24, 4, 0.02, marks=pytest.mark.slow),
        pytest.param(500, 24, 4, 0.01, marks=pytest.mark.slow),
        pytest.param(2000, 7, 2, 0.02, marks=pytest.mark.slow),
    ],
)
def test_the_promise_is_kept_in_95_percent_of_replications(n_images, n_conditions, per_image, half_width):
    full = full_matrix(n_images, n_conditions)
    kept, cells = [], []
    for seed in range(400):
        design = CellDesign(n_images, n_conditions, per_image, images_per_block=100, seed=seed)
        correct, seen, found = score_until(design, lambda i, c: full[i, c], half_width)
        assert found.half_width <= half_width
        assert (correct == (full & seen)).all()
        kept.append(abs(found.value - full.mean()) <= half_width)
        cells.append(found.n_cells)
    assert np.mean(kept) >= 0.95
    assert np.mean(cells) < 0.4 * full.size


def test_an_impossible_promise_scores_everything():
    full = full_matrix(120, 4)
    _, seen, found = score_until(CellDesign(120, 4, 2), lambda i, c: full[i, c], 1e-9)
    assert seen.all()
    assert (found.value, found.half_width) == (pytest.approx(full.mean()), 0)


def test_a_looser_promise_scores_a_prefix_of_a_tighter_one():
    full = full_matrix(2000, 24)
    design = CellDesign(2000, 24, images_per_block=100)
    (_, loose, _), (_, tight, _) = (score_until(design, lambda i, c: full[i, c], h) for h in (0.03, 0.015))
    assert loose.sum() < tight.sum()
    assert (loose <= tight).all()


def test_a_perfect_start_does_not_stop_it_at_once():
    full = np.ones((3000, 24), dtype=bool)
    _, _, found = score_until(CellDesign(3000, 24, images_per_block=50), lambda i, c: full[i, c], 0.005)
    assert found.n_images >= 300


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match="n_images"):
        CellDesign(0, 4)
    with pytest.raises(ConfigError, match="at least 2"):
        CellDesign(10, 4, 1)
    with pytest.raises(ConfigError, match="as a share"):
        score_until(CellDesign(10, 4), lambda i, c: i > 0, 25)
    with pytest.raises(DatasetError, match="1 of 2 conditions"):
        estimate(np.ones((3, 2), bool), np.array([[True, False]] * 3))
    with pytest.raises(IndexError):
        CellDesign(10, 4).block(99)
