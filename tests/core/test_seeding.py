"""Random streams: the published generator, pinned draws, and independence of everything but the names."""

import os
import subprocess
import sys

import numpy as np
import pytest

from occbench.core.seeding import Stream, stream

NAMES = (7, "umbrella2", "place")


def pinned():
    return stream(*NAMES)


def test_the_words_are_philox4x64_10():
    """The known answer of key 0, counter 0 that the authors of Philox publish."""
    expected = "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"
    assert " ".join(f"{int(word):016x}" for word in Stream(bytes(16)).words(4)) == expected


def test_only_the_first_16_bytes_of_the_key_count():
    assert np.array_equal(Stream(bytes(range(16))).words(9), Stream(bytes(range(32))).words(9))
    assert not np.array_equal(Stream(bytes(16)).words(9), Stream(bytes(15) + b"\1").words(9))


def test_golden_draws():
    """A changed value here means other datasets: every family's ``version`` must be raised."""
    assert [int(word) for word in pinned().words(3)] == [0x6747A0608DC89185, 0x0A3B61AC78170686, 0x75AA3B8CB2FE1DEE]
    draws = pinned()
    draws.words(3)
    assert draws.uniforms(2, 2).tolist() == [
        [0.03953930148860618, 0.0022661789624198736],
        [0.1699132469920378, 0.09002998577432131],
    ]
    assert draws.uniform() == 0.7666444643189029
    assert draws.uniform(-2, 3) == -1.2527266873717324
    assert draws.integers(1000, 6).tolist() == [349, 11, 591, 595, 357, 480]
    assert draws.integer(-5, 5) == -3
    assert draws.permutation(8).tolist() == [1, 0, 3, 2, 6, 4, 5, 7]


def test_every_draw_is_the_documented_function_of_the_words():
    words = [int(word) for word in pinned().words(100)]
    uniforms = [(word >> 11) / 2**53 for word in words]
    assert pinned().uniforms(100).tolist() == uniforms
    assert pinned().uniforms(4, 25).tolist() == np.reshape(uniforms, (4, 25)).tolist()
    assert pinned().uniform(2.0, 5.0) == 2.0 + 3.0 * uniforms[0]
    assert pinned().integers(1000, 100).tolist() == [int(value * 1000) for value in uniforms]
    assert pinned().integer(-3, 9) == -3 + int(uniforms[0] * 12)
    assert pinned().permutation(100).tolist() == sorted(range(100), key=words.__getitem__)


def test_draws_advance_the_stream_by_one_word_per_number():
    draws, words = pinned(), pinned().words(30)
    draws.uniform()
    draws.integer(0, 9)
    draws.uniforms(2, 3)
    draws.integers(5, 7)
    draws.permutation(10)
    assert np.array_equal(draws.words(5), words[25:])


def test_drawing_in_pieces_changes_nothing():
    draws = pinned()
    pieces = np.concatenate([draws.words(count) for count in (1, 2, 3, 5, 8, 13)])
    assert np.array_equal(pieces, pinned().words(32))


@pytest.mark.parametrize(
    "names",
    [
        (8, "umbrella2", "place"),
        (7, "umbrella", "2place"),
        (7, "umbrella2", "place", ""),
        (7, "umbrella2place"),
        (7, "place", "umbrella2"),
        (7, "umbrella2", "places"),
        (7, "ümbrella2", "place"),
        (-7, "umbrella2", "place"),
    ],
)
def test_another_seed_or_name_is_another_stream(names):
    assert not np.intersect1d(stream(*names).words(1000), pinned().words(1000)).size


def test_a_name_boundary_cannot_be_forged():
    """Names that join to the same text are different streams, also when they hold what looks like a length prefix."""
    joined = [("ab", "c"), ("a", "bc"), ("abc",), ("", "abc"), ("abc", ""), ("a", "\1\0\0\0\0\0\0\0bc")]
    assert len({stream(0, *names).words(1).item() for names in joined}) == len(joined)


def test_a_number_and_its_text_name_the_same_stream():
    assert np.array_equal(stream(7, 12).words(4), stream(7, "12").words(4))


def test_streams_do_not_disturb_each_other():
    one, other = stream(1, "a"), stream(1, "b")
    woven = [(one.words(1).item(), other.words(1).item()) for _ in range(20)]
    assert [pair[0] for pair in woven] == stream(1, "a").words(20).tolist()
    assert [pair[1] for pair in woven] == stream(1, "b").words(20).tolist()


def test_global_random_state_is_neither_read_nor_changed():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state is the subject
    first = pinned().words(8)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    assert np.array_equal(pinned().words(8), first)


def test_a_fresh_process_draws_the_same():
    code = "from occbench.core.seeding import stream; print(stream(7, 'umbrella2', 'place').words(6).tolist())"
    for hash_seed in ("0", "1"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(pinned().words(6).tolist())


def test_uniforms_fill_the_unit_interval_evenly():
    values = stream(0, "uniformity").uniforms(100_000)
    assert values.min() >= 0
    assert values.max() < 1
    counts, _ = np.histogram(values, bins=50, range=(0, 1))
    # chi-squared, 49 degrees of freedom: the 0.1 % point is 85.4
    assert ((counts - 2000) ** 2 / 2000).sum() < 85.4
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.01


def test_first_numbers_of_neighbouring_streams_are_even_too():
    """What occlusions use most: the first draw of a stream per image."""
    values = np.array([stream(0, f"image-{index}", "place").uniform() for index in range(5000)])
    counts, _ = np.histogram(values, bins=20, range=(0, 1))
    assert ((counts - 250) ** 2 / 250).sum() < 43.8  # 19 degrees of freedom, 0.1 % point


def test_permutations_are_permutations_and_even():
    for count in (0, 1, 2, 7, 196):
        assert sorted(stream(0, count).permutation(count).tolist()) == list(range(count))
    where_zero_goes = [stream(0, index).permutation(6).tolist().index(0) for index in range(3000)]
    counts = np.bincount(where_zero_goes, minlength=6)
    assert ((counts - 500) ** 2 / 500).sum() < 20.5  # 5 degrees of freedom, 0.1 % point


def test_integers_cover_their_range():
    values = stream(0, "integers").integers(7, 7000)
    assert values.dtype == np.int64
    assert np.unique(values).tolist() == list(range(7))
    assert {stream(0, index).integer(3, 5) for index in range(50)} == {3, 4}
    assert stream(0, "one").integers(1, 5).tolist() == [0] * 5


@pytest.mark.parametrize("high", [0, -1, 2**32])
def test_integers_refuse_a_range_they_cannot_draw_from(high):
    with pytest.raises(ValueError, match="0 < high < 2"):
        pinned().integers(high, 1)
