"""The options of every verb that trains and scores cells, and what they say of a benchmark."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from occbench.cli.options import BenchmarkSetOption, DryRunOption, SourceOption, names

if TYPE_CHECKING:
    from occbench.bench.protocol.benchmark import Benchmark

__all__ = ["RunOptions", "wanted_arms"]


@dataclass(frozen=True)
class RunOptions:
    """The options of every verb that trains and scores cells."""

    runs: Annotated[Path, typer.Option(help="Folder of all runs; finished cells in it are not run again.")] = Path(
        "runs"
    )
    source: SourceOption = ""
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE", help="Start backbone NAME from a checkpoint (safetensors or .pth). Repeatable."
        ),
    ] = None
    seeds: Annotated[str, typer.Option(help="Training seeds, e.g. 0,1.", show_default="as in the benchmark")] = ""
    test_images: Annotated[
        int | None, typer.Option(help="At most so many test images, evenly spread.", show_default="all")
    ] = None
    set_: BenchmarkSetOption = None
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Cells that run at the same time, each on a GPU of its own or a share of the CPU.",
            show_default="1; on a cluster as many as fit",
        ),
    ] = None
    threads: Annotated[
        int | None,
        typer.Option(
            help="CPU threads of each job. Predictions are bit-equal for any number of jobs with the same number of "
            "threads.",
            show_default="an equal share",
        ),
    ] = None
    track: Annotated[
        str,
        typer.Option(
            metavar="MODULE",
            help="Log every epoch and the results to this module: trackio, wandb or one like them.",
            show_default="nowhere",
        ),
    ] = ""
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder for decoded images that do not fit into memory.", show_default="RUNS/decoded"),
    ] = None
    dry_run: DryRunOption = False

    def load(self, benchmark: str) -> "Benchmark":
        """Read a benchmark with the changes that the options ask for.

        Raises:
            ConfigError: no such benchmark, or a change that makes no sense.
        """
        from occbench.bench.protocol.benchmark import load_benchmark

        return load_benchmark(benchmark, (*(self.set_ or []), *([f"seeds=[{self.seeds}]"] if self.seeds else [])))

    def checkpoints(self, benchmark: "Benchmark") -> dict[str, Path]:
        """Return backbone -> the checkpoint that it starts from.

        Raises:
            ConfigError: not ``NAME=FILE``, no such file, or a backbone that the benchmark does not have.
        """
        from occbench.core.errors import ConfigError

        chosen = {}
        for option in self.weights or []:
            name, equals, file = option.partition("=")
            if not equals or not Path(file).is_file():
                raise ConfigError(f"--weights needs NAME=FILE with a file that exists, found {option!r}")
            if name not in benchmark.backbones:
                raise ConfigError(
                    f"--weights {option}: the benchmark's backbones are {', '.join(benchmark.backbones)}."
                )
            chosen[name] = Path(file)
        return chosen

    def threads_beside(self, jobs: int) -> int:
        """Return the CPU threads of each of some jobs on this machine; 0 leaves a single one as it is.

        Raises:
            ConfigError: less than one thread is asked for.
        """
        import torch

        from occbench.core.errors import ConfigError

        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"--threads needs 1 thread or more, found {self.threads}.")
        return self.threads or (max(1, torch.get_num_threads() // jobs) if jobs > 1 else 0)


def wanted_arms(option: str, benchmark: "Benchmark") -> list[str]:
    """Read a comma-separated list of arms, and build their methods once; empty takes all.

    Raises:
        ConfigError: an arm that the benchmark does not have, or a method's option that makes no sense.
        PluginError: a method that there is not.
    """
    from occbench.core.errors import ConfigError

    known = list(benchmark.arms)
    wanted = names(option) or known
    if unknown := sorted(set(wanted) - set(known)):
        raise ConfigError(f"the benchmark has no arm {unknown[0]}; its arms: {', '.join(known)}.")
    for name in wanted:  # a wrong option is found now, not after hours of training other arms
        benchmark.arms[name].build()
        benchmark.arms[name].build_head()
    return wanted
