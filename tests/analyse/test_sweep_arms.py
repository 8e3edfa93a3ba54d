import pytest

from occbench.analyse.sweep_arms import Variation, parse_variation, sweep_arms, with_sweep
from occbench.bench.protocol.cell import Cell
from occbench.core.errors import ConfigError


def fingerprint(benchmark, arm):
    return Cell(benchmark, "tiny", None, arm, 0, "images").fingerprint


def test_every_combination_is_an_arm_the_last_key_fastest(tiny_benchmark):
    variations = [parse_variation("method.alpha=0.1,0.9"), parse_variation("method.beta=0.5,2")]
    arms = sweep_arms(tiny_benchmark(), "C-Full", variations)
    assert [(item.arm.method.options["alpha"], item.arm.method.options["beta"]) for item in arms] == [
        (0.1, 0.5), (0.1, 2), (0.9, 0.5), (0.9, 2),
    ]  # fmt: skip
    assert arms[0].name == "C-Full alpha=0.1 beta=0.5"


def test_the_benchmarks_own_combination_is_the_benchmarks_own_cell(tiny_benchmark):
    full = {"C-Full": {"method": {"name": "dfv", "alpha": 0.9, "beta": 1.0}}}
    benchmark = tiny_benchmark(arms=full)
    arms = sweep_arms(benchmark, "C-Full", [parse_variation("method.alpha=0.5,0.9"), parse_variation("method.beta=1")])
    swept = with_sweep(benchmark, "C", arms)
    other, own = (fingerprint(swept, item.name) for item in arms)
    assert own == fingerprint(benchmark, "C-Full"), "1 is 1.0"
    assert other != own
    assert fingerprint(swept, "C") == fingerprint(benchmark, "C")
    assert list(swept.arms) == ["C", *(item.name for item in arms)]


def test_a_default_that_is_written_out_is_the_benchmarks_own_cell_too(tiny_benchmark):
    benchmark = tiny_benchmark()
    assert "alpha" not in benchmark.arms["C-Full"].method.options
    own, other = sweep_arms(benchmark, "C-Full", [parse_variation("method.alpha=0.9,0.8")])
    assert own.arm == benchmark.arms["C-Full"]
    assert other.arm.method.options == {"alpha": 0.8}


def test_keys_beside_the_method_are_varied_too(tiny_benchmark):
    arms = sweep_arms(tiny_benchmark(), "C", [parse_variation("add_occluded=false,true")])
    assert [item.arm.add_occluded for item in arms] == [False, True]


@pytest.mark.parametrize("text", ["method.alpha", "method.alpha=", "=1,2", "method.alpha=0.1,,0.2", "method.alpha=[1"])
def test_what_is_no_variation_is_refused(text):
    with pytest.raises(ConfigError, match="a variation"):
        parse_variation(text)


def test_a_value_is_given_once():
    with pytest.raises(ConfigError, match="given twice"):
        parse_variation("method.alpha=0.1,0.1")
    assert parse_variation("method.alpha=0.1, 0.2") == Variation("method.alpha", (0.1, 0.2))


@pytest.mark.parametrize(
    ("variations", "message"),
    [
        (["method.gamma=1,2"], "gamma"),
        (["method.alpha=2"], "dfv needs alpha from 0 to 1"),
        (["method.alpha=0.1", "method.alpha=0.2"], "each once"),
        ([], "found none"),
    ],
)
def test_what_the_method_does_not_have_is_refused_before_anything_is_trained(tiny_benchmark, variations, message):
    from occbench.core.errors import OccbenchError

    with pytest.raises(OccbenchError, match=message):
        sweep_arms(tiny_benchmark(), "C-Full", [parse_variation(text) for text in variations])


def test_unknown_arms_are_refused(tiny_benchmark):
    with pytest.raises(ConfigError, match="--arm G: the benchmark's arms are C, C-Full, F"):
        sweep_arms(tiny_benchmark(), "G", [parse_variation("method.alpha=0.1")])
    with pytest.raises(ConfigError, match="--classical G"):
        with_sweep(tiny_benchmark(), "G", [])
