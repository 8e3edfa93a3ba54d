"""Where a verb's work runs: the options `--engine` and `--address`, and the executor that they ask for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from occbench.core.interfaces import Executor
    from occbench.data.recipe import Recipe
    from occbench.engine.cluster import RayExecutor

__all__ = ["Engine"]


@dataclass(frozen=True)
class Engine:
    """What the two options say."""

    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Where work runs: processes of this machine, or the tasks of a Ray cluster."),
    ] = "local"
    address: Annotated[
        str,
        typer.Option(
            help="With --engine ray: `auto` finds the cluster of this machine (or of RAY_ADDRESS), HOST:PORT and "
            "ray://HOST:10001 name one, `local` starts one on this machine."
        ),
    ] = "auto"

    @property
    def is_cluster(self) -> bool:
        """Whether work may run on other machines."""
        return self.engine == "ray"

    def for_recipe(self, recipe: "Recipe", workers: int | None = None) -> "Executor":
        """Return where a recipe's shards are made.

        Args:
            recipe: decides how many workers suit it, and whether they need GPUs.
            workers: what was asked for, if anything.

        Raises:
            ConfigError: fewer than 0 workers, or no cluster.
        """
        from occbench.engine.local import LocalExecutor
        from occbench.generate.estimate import default_workers, uses_gpu

        if self.is_cluster:
            return self._cluster(workers or 0, 1, uses_gpu(recipe))
        return LocalExecutor(default_workers(recipe) if workers is None else workers)

    def for_cells(self, jobs: int, threads: int) -> "RayExecutor":
        """Return where a cluster trains and scores cells.

        Args:
            jobs: at most so many at the same time; 0 as many as fit.
            threads: CPU threads of each.
        """
        return self._cluster(jobs, threads, gpu=True)

    def _cluster(self, workers: int, cpus: int, gpu: bool) -> "RayExecutor":
        from occbench.engine.cluster import RayExecutor

        executor = RayExecutor(self.address, workers, cpus, gpu)
        executor.connect()  # a cluster that is not there is found now, not after the source has been read
        return executor
