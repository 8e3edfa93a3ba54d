"""One cell on several GPUs, started by ``accelerate launch``: every process does the same work, but for the backbone.

The deep feature vectors of a batch are computed in shares, one a process, and exchanged; losses, draws and decisions
are then made everywhere from the same numbers, so that a method need not know. Gradients of the trunk are sums of
shares. The result is that of one process with the same batch, up to the order of sums (and to dropout inside the trunk,
which each share draws for itself). Only the first process writes into the run directory.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from occbench.core.errors import ConfigError

__all__ = [
    "in_shares",
    "join_ranks",
    "leave_ranks",
    "own_runs",
    "rank_and_size",
    "sum_gradients",
    "synchronise_statistics",
]

Module = TypeVar("Module", bound=nn.Module)


def join_ranks() -> tuple[int, int]:
    """Join the other processes of ``accelerate launch``; return this one's number and how many there are.

    Raises:
        ConfigError: accelerate is not installed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        try:
            from accelerate import PartialState
        except ImportError as error:
            raise ConfigError(
                "WORLD_SIZE says that this is one of several processes, and accelerate is not there to join them: "
                "pip install occbench[distributed], or unset WORLD_SIZE."
            ) from error
        PartialState()
    return rank_and_size()


def leave_ranks() -> None:
    """Part from the other processes, when all is done."""
    if rank_and_size()[1] > 1:
        dist.barrier()
        dist.destroy_process_group()


def rank_and_size() -> tuple[int, int]:
    """Return this process's number, from 0, and how many there are; (0, 1) for one that works alone."""
    if not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


@contextmanager
def own_runs(runs: Path, homes: Iterable[str]) -> Iterator[Path]:
    """Yield the folder of runs for the first process, and a passing copy of what it holds for every other.

    Args:
        runs: of the command.
        homes: names of the run directories that matter.
    """
    rank, size = rank_and_size()
    if size == 1:
        yield runs
        return
    with TemporaryDirectory(prefix="occbench-rank-") as folder:
        for home in homes if rank else ():
            if (runs / home).is_dir():
                shutil.copytree(runs / home, Path(folder) / home)
        dist.barrier()  # nothing changes before all have copied
        yield Path(folder) if rank else runs


def in_shares(compute: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
    """Return ``compute(batch)``, of which every process computes consecutive rows.

    Raises:
        ConfigError: a training batch of fewer images than processes.
    """
    rank, size = rank_and_size()
    if size == 1:
        return compute(batch)
    if len(batch) < size:
        if torch.is_grad_enabled():
            raise ConfigError(f"a batch of {len(batch)} cannot be shared by {size} processes: raise train.batch_size.")
        return compute(batch)
    ends = [len(batch) * (number + 1) // size for number in range(size)]
    starts = [0, *ends[:-1]]
    share = compute(batch[starts[rank] : ends[rank]])
    gathered: Tensor = _Gather.apply(share, starts, ends)
    return gathered


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Add up the gradients that every process has from its shares."""
    if rank_and_size()[1] == 1:
        return
    for parameter in parameters:
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)


def synchronise_statistics(trunk: Module) -> Module:
    """Return a trunk, given in training mode, whose BatchNorm layers take the statistics of the whole batch.

    Raises:
        ConfigError: such layers train on a CPU, where torch cannot share their statistics.
    """
    if rank_and_size()[1] == 1 or not any(
        isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.training for layer in trunk.modules()
    ):
        return trunk
    if not torch.cuda.is_available():
        raise ConfigError("BatchNorm cannot share a batch between processes on a CPU: set train.batch_norm=running.")
    converted: Module = nn.SyncBatchNorm.convert_sync_batchnorm(trunk)  # type: ignore[no-untyped-call]
    return converted


class _Gather(torch.autograd.Function):
    """Rows of all processes; backwards, each keeps the gradient of its own."""

    @staticmethod
    def forward(ctx: Any, share: Tensor, starts: list[int], ends: list[int]) -> Tensor:  # noqa: ANN401 - torch's
        rank = dist.get_rank()
        ctx.rows = slice(starts[rank], ends[rank])
        longest = max(end - start for start, end in zip(starts, ends, strict=True))
        padded = share.new_zeros((longest, *share.shape[1:]))
        padded[: len(share)] = share
        parts = [torch.empty_like(padded) for _ in starts]
        dist.all_gather(parts, padded)
        return torch.cat([part[: end - start] for part, start, end in zip(parts, starts, ends, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401 - torch's
        return gradient[ctx.rows], None, None
