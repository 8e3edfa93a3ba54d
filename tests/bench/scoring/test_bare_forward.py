import time

import pytest

from occbench.bench.scoring.bare_forward import bare_images_per_s
from occbench.bench.scoring.test_set import test_set as build_test_set


@pytest.fixture
def test(tiny_materials):
    return build_test_set(tiny_materials())


def slowly(call, seconds):
    def slow(*arguments):
        time.sleep(seconds)
        return call(*arguments)

    return slow


def test_what_the_network_takes_is_timed(make_pipeline, test, monkeypatch):
    pipeline = make_pipeline()
    monkeypatch.setattr(pipeline, "vectors", slowly(pipeline.vectors, 0.25))
    started = time.perf_counter()
    found = bare_images_per_s(pipeline, test, 8)
    pass_s = 8 / found
    assert 0.25 <= pass_s <= (time.perf_counter() - started) / 2, "one of several passes"


def test_rendering_is_not_timed(make_pipeline, test, monkeypatch):
    pipeline = make_pipeline()
    resident = test.on(pipeline.device)
    monkeypatch.setattr(resident, "render", slowly(resident.render, 3))
    assert 8 / bare_images_per_s(pipeline, test, 8) < 3


def test_a_batch_is_no_larger_than_the_test_set(make_pipeline, test, monkeypatch):
    pipeline = make_pipeline()
    seen = []
    inputs = pipeline.inputs
    monkeypatch.setattr(pipeline, "inputs", lambda pixels: (seen.append(len(pixels)), inputs(pixels))[1])
    bare_images_per_s(pipeline, test, 10_000)
    assert set(seen) == {len(test.images)}
