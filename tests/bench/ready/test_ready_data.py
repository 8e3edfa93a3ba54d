"""Datasets and plain folders as test sets."""

import shutil

import numpy as np
import pytest
import torch

from occbench.bench.ready.ready_data import open_data
from occbench.bench.ready.score_ready import score_dataset
from occbench.bench.tables.table import build_results
from occbench.core.errors import BrokenImageError, ConfigError, DatasetError, SourceError
from occbench.core.prepare import Prepare, prepare
from occbench.report.results_report import write_report
from occbench.sources.image_folder import ImageFolder


def test_a_plain_folder_is_scored_as_it_is(tiny_images, make_pipeline, tmp_path):
    pipeline = make_pipeline(classes=3)
    data = open_data(tiny_images, size_px=40)
    assert (data.classes, data.images, data.cells) == (("apple", "bee", "cup"), 12, 0)
    found = score_dataset(data, pipeline, tmp_path / "runs" / "one", batch_size=5)
    assert found.classified == 12
    source = ImageFolder(str(tiny_images))
    right = 0
    for index in range(12):
        image = prepare(source[index], Prepare(rule="shorter_side", size_px=40)).image
        pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None]
        with torch.no_grad():
            right += int(pipeline.model(pipeline.model.normalise(pixels)).argmax(1)) == source.labels_of(index)[0]
    values = {(record.metric, record.group): record.value for record in found.records}
    assert values["top1", "clean"] == pytest.approx(100 * right / 12)
    assert {group for _, group in values} == {"clean"}
    again = score_dataset(data, pipeline, tmp_path / "runs" / "one", batch_size=5)
    assert (again.classified, again.records) == (0, found.records)
    results = build_results(tmp_path / "runs")
    assert results[0].columns == ("clean",)
    write_report(results, tmp_path / "report")
    assert "clean" in (tmp_path / "report" / "report.md").read_text()


def test_the_resize_rule_is_part_of_the_test_set(tiny_images):
    choices = [(32, "direct"), (32, "shorter_side"), (40, "direct")]
    assert len({open_data(tiny_images, size_px=size, resize=rule).test_set for size, rule in choices}) == 3


def test_a_broken_image_of_a_folder_is_named(tiny_images, make_pipeline, tmp_path):
    folder = shutil.copytree(tiny_images, tmp_path / "images")
    (folder / "bee" / "2.jpg").write_bytes(b"no picture")
    with pytest.raises(BrokenImageError, match=r"bee/2\.jpg"):
        score_dataset(open_data(folder, size_px=32), make_pipeline(classes=3), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_a_plain_folder_has_not_is_refused(tiny_images, make_pipeline, tmp_path):
    with pytest.raises(ConfigError, match="leave --stored out"):
        open_data(tiny_images, stored=True)
    with pytest.raises(ConfigError, match="--half-width is of the average over occluded columns"):
        score_dataset(open_data(tiny_images), make_pipeline(classes=3), tmp_path / "run", half_width=0.01)
    with pytest.raises(ConfigError, match="3 classes and the head of tiny has 12"):
        score_dataset(open_data(tiny_images), make_pipeline(classes=12), tmp_path / "run")


def test_what_is_neither_is_one_clear_line(tiny_images, copy_of, tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        open_data(tmp_path / "nothing")
    with pytest.raises(DatasetError, match="is not an occbench dataset"):
        open_data(tiny_images / "apple")
    (shutil.copytree(tiny_images, tmp_path / "images") / "empty").mkdir()
    with pytest.raises(SourceError, match=r"the class folder .*empty has no image"):
        _ = open_data(tmp_path / "images").classes
    unfinished = copy_of()
    (unfinished / "manifest.json").unlink()
    with pytest.raises((DatasetError, SourceError)):
        _ = open_data(unfinished).classes


def test_datasets_of_any_layout_give_the_same_predictions(finished, make_pipeline, tmp_path, bytes_of):
    """Bit for bit: rendered from a virtual dataset, rendered or read from stored PNG files, beside stored tar files."""
    layouts = [
        ({}, False),
        ({"layout": "materialised"}, False),
        ({"layout": "materialised"}, True),
        ({"layout": "materialised", "format": "webdataset"}, False),
    ]
    blocks = []
    for number, (storage, stored) in enumerate(layouts):
        out = tmp_path / str(number)
        score_dataset(open_data(finished(**storage), stored=stored), make_pipeline(classes=3), out, batch_size=5)
        blocks.append(bytes_of(out / "scores"))
    assert len(blocks[0]) == 9
    assert all(block == blocks[0] for block in blocks)
    with pytest.raises(DatasetError, match="webdataset"):
        open_data(finished(layout="materialised", format="webdataset"), stored=True).stored_rows()


def test_a_dataset_too_large_for_memory_gives_the_same_predictions(finished, make_pipeline, tmp_path, bytes_of):
    from occbench.bench.batches.pipeline import ActivationCache
    from occbench.bench.images.pixel_store import PixelStore
    from occbench.bench.scoring.classify import RenderedPixels, logits_of
    from occbench.bench.scoring.score import score

    data, pipeline = open_data(finished()), make_pipeline(classes=3)
    found = []
    for name, store in (("memory", None), ("files", PixelStore(tmp_path / "pixels", 0, part_bytes=5 * 48 * 48 * 3))):
        test = data.load(store)
        score(
            lambda inputs, _: logits_of(pipeline, inputs),
            pipeline,
            test,
            tmp_path / name,
            cache=ActivationCache(0),
            batch_size=5,
        )
        found.append(bytes_of(tmp_path / name))
        cells = np.array([3, 11, 0, 3]), np.array([1, 0, 7, 6])
        found.append(RenderedPixels(test, test.conditions[1:], pipeline.device)(*cells))
    assert len(list((tmp_path / "pixels").rglob("part-?????.npy"))) == 3
    assert found[0] == found[2]
    assert torch.equal(found[1], found[3])
