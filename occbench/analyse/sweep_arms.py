"""Arms of a sweep: one base arm under every combination of some options, each an ordinary arm of the benchmark.

A cell's fingerprint does not know its arm's name, so a combination that was run before, as an arm of the benchmark or
in another sweep, is the same cell and is not run again.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from occbench.bench.protocol.benchmark import Arm, Benchmark
from occbench.core.errors import ConfigError
from occbench.data.config import apply_overrides, validate

__all__ = ["SweepArm", "Variation", "parse_variation", "sweep_arms", "with_sweep"]


@dataclass(frozen=True)
class Variation:
    """One option and its values.

    Attributes:
        key: below the arm, e.g. ``method.alpha``.
        values: JSON values, in the order given; at least one, no value twice.
    """

    key: str
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The last part of the key, for axes and labels."""
        return self.key.rpartition(".")[2]


@dataclass(frozen=True)
class SweepArm:
    """One combination.

    Attributes:
        name: of its arm.
        values: key -> value.
        arm: what is trained.
    """

    name: str
    values: Mapping[str, Any]
    arm: Arm


def parse_variation(text: str) -> Variation:
    """Read ``KEY=VALUE,VALUE,...``; values are YAML.

    Raises:
        ConfigError: not of that form, a value that is not YAML, or one that is given twice.
    """
    key, equals, listed = text.partition("=")
    parts = [part.strip() for part in listed.split(",")]
    if not equals or not key.strip() or not all(parts):
        raise ConfigError(f"a variation is KEY=VALUE,VALUE,..., e.g. method.alpha=0.1,0.5,0.9; found {text!r}.")
    try:
        values = tuple(yaml.safe_load(part) for part in parts)
    except yaml.YAMLError as error:
        raise ConfigError(f"a variation's values are YAML, found {text!r}.") from error
    if len({str(value) for value in values}) < len(values):
        raise ConfigError(f"{text}: a value is given twice. Give each once.")
    return Variation(key.strip(), values)


def sweep_arms(benchmark: Benchmark, base: str, variations: Sequence[Variation]) -> list[SweepArm]:
    """Return every combination of the variations as an arm, the last variation fastest.

    Raises:
        ConfigError: no such base arm, a key twice, or an option that the method does not have.
    """
    if base not in benchmark.arms:
        raise ConfigError(f"--arm {base}: the benchmark's arms are {', '.join(benchmark.arms)}. Vary one of them.")
    keys = [variation.key for variation in variations]
    if not keys or len(set(keys)) < len(keys):
        raise ConfigError(f"a sweep varies one key or more, each once; found {', '.join(keys) or 'none'}.")
    made = []
    for values in itertools.product(*(variation.values for variation in variations)):
        content = benchmark.arms[base].model_dump(mode="json")
        chosen = {key: _like(_at(content, key), value) for key, value in zip(keys, values, strict=True)}
        apply_overrides(content, [f"{key}={yaml.safe_dump(value).split(chr(10))[0]}" for key, value in chosen.items()])
        label = " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in chosen.items())
        arm = validate(Arm, content, f"arm {base} with {label}")
        made.append(SweepArm(f"{base} {label}", chosen, _own(benchmark.arms[base], arm)))
    return made


def with_sweep(benchmark: Benchmark, classical: str, sweep: Sequence[SweepArm]) -> Benchmark:
    """Return the benchmark with the classical arm and the sweep's arms in place of its own, without its claims.

    Raises:
        ConfigError: no such classical arm.
    """
    if classical not in benchmark.arms:
        raise ConfigError(
            f"--classical {classical}: the benchmark's arms are {', '.join(benchmark.arms)}. Compare with one of them."
        )
    arms = {classical: benchmark.arms[classical]} | {item.name: item.arm for item in sweep}
    return benchmark.model_copy(update={"arms": arms, "claims": ()})


def _own(base: Arm, arm: Arm) -> Arm:
    """Return the base arm itself where the other one is the same with its method's defaults written out."""
    # a wrong option is found now, not after hours of training other arms
    same = arm.build() == base.build() and arm.model_copy(update={"method": base.method}) == base
    return base if same else arm


def _at(content: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the present value of a key, or None."""
    place: Any = content
    for step in key.split("."):
        place = place.get(step) if isinstance(place, Mapping) else None
    return place


def _like(present: Any, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value in the present one's type: 1 for a float is 1.0, the same cell as the benchmark's own."""
    return float(value) if isinstance(present, float) and type(value) is int else value
