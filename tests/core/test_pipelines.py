"""Pipelines are found before any work starts; what cannot be had is one line that says how to get it."""

import shutil

import diffusers
import pytest
import torch
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

from occbench.core import pipelines
from occbench.core.errors import ConfigError
from occbench.core.pipelines import find_pipeline, loading, pick_device, quiet_diffusers, torch_dtype


def test_a_folder_is_known_by_its_content(tiny_pipeline, tmp_path):
    copy = shutil.copytree(tiny_pipeline, tmp_path / "copy")
    found = find_pipeline(str(tiny_pipeline))
    assert found.folder == tiny_pipeline
    assert found.classes["unet"] == "UNet2DConditionModel"
    assert find_pipeline(str(copy)).revision == found.revision
    (copy / "notes.txt").write_text("not a file of the pipeline")
    assert find_pipeline(str(copy)).revision == found.revision
    weights = copy / "unet/diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert find_pipeline(str(copy)).revision != found.revision


@pytest.mark.parametrize("model", ["./nowhere", "nowhere", "/nowhere/at/all", "a b/c", "a/b/c"])
def test_what_is_neither_folder_nor_repository_is_told(model):
    with pytest.raises(ConfigError, match="is no folder, and no repository"):
        find_pipeline(model)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"vae": ["diffusers", "AutoencoderKL"]}'])
def test_a_folder_that_holds_no_pipeline_is_told(tmp_path, content):
    if content is not None:
        (tmp_path / "model_index.json").write_text(content)
    with pytest.raises(ConfigError, match=r"not the folder of a diffusers pipeline|names no pipeline class"):
        find_pipeline(str(tmp_path))


class Response:
    """What the Hub's client keeps of an answer."""

    def __init__(self):
        self.headers, self.request = {}, None


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (GatedRepoError, "someone/secret is gated.*Accept them.*hf auth login"),
        (RepositoryNotFoundError, "has no model someone/secret, or it is private"),
        (RevisionNotFoundError, "someone/secret has no revision v9. Set revision"),
        (None, r"not on this machine and cannot be downloaded \(HF_HUB_OFFLINE is set\).*hf download someone/secret"),
    ],
)
def test_why_a_repository_cannot_be_had(monkeypatch, cause, message):
    pipelines._download.cache_clear()

    def refuse(model, revision):
        try:
            raise cause("no", response=Response()) if cause else ConnectionError("no network")
        except OSError as error:
            raise OSError("Cannot load model") from error

    monkeypatch.setattr(diffusers.DiffusionPipeline, "download", refuse)
    with pytest.raises(ConfigError, match=message) as refusal:
        find_pipeline("someone/secret", "v9")
    assert "\n" not in str(refusal.value)


def test_the_pinned_commit_is_asked_for_unless_another_is(monkeypatch, tmp_path):
    pipelines._download.cache_clear()
    asked = []

    def download(model, revision):
        asked.append(revision)
        return str(tmp_path / revision)

    monkeypatch.setattr(diffusers.DiffusionPipeline, "download", download)
    for model, revision in (("sd2-community/stable-diffusion-2-inpainting", ""), ("a/b", ""), ("a/b", "v1")):
        find_pipeline(model, revision)
    assert asked == ["5f74973cbb64c8568780732c17f43eb269d63a0d", "main", "v1"]
    pipelines._download.cache_clear()


def test_devices_are_taken_in_turn(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    for worker, device in ((0, 0), (2, 2), (4, 1)):
        monkeypatch.setenv("OCCBENCH_WORKER", str(worker))
        assert pick_device() == torch.device("cuda", device)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device() == torch.device("cpu")


def test_dtypes_are_named():
    assert torch_dtype("bf16") is torch.bfloat16
    with pytest.raises(ConfigError, match="dtype is fp32, fp16 or bf16, found 'half'"):
        torch_dtype("half")


def test_a_model_that_is_larger_than_the_device_is_told(tiny_pipeline):
    files = find_pipeline(str(tiny_pipeline))
    with pytest.raises(ConfigError, match="does not fit into the device's memory"), loading(files, "for a test"):
        raise torch.OutOfMemoryError("CUDA out of memory.")


def test_quiet_is_for_a_while():
    from diffusers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with quiet_diffusers():
        assert not logging.is_progress_bar_enabled()
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
