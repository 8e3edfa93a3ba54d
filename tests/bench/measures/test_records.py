import dataclasses

import pytest

from occbench.bench.measures.records import Record, append_records, latest_records, read_records, to_frame
from occbench.core.errors import DatasetError

RECORD = Record(
    benchmark="caltech101-exclusive",
    method="dfv",
    arm="C-Full",
    backbone="resnet18",
    seed=1,
    group="avg",
    metric="top1",
    value=65.0,
    low=64.25,
    high=66.0,
    n=4000,
    run="0123abcd",
)
PLAIN = dataclasses.replace(RECORD, group="clean", low=None, high=None, seed=None)


def test_records_survive_the_file_in_order(tmp_path):
    path = tmp_path / "records.jsonl"
    append_records(path, [RECORD])
    append_records(path, [PLAIN])
    assert read_records(path) == [RECORD, PLAIN]
    assert [type(record.value) for record in read_records(path)] == [float, float]


def test_appending_again_changes_nothing(tmp_path):
    path = tmp_path / "records.jsonl"
    append_records(path, [RECORD, PLAIN])
    before = path.read_bytes()
    append_records(path, [PLAIN, RECORD])
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["records.jsonl"]


def test_the_latest_number_of_a_thing_wins():
    grown = dataclasses.replace(RECORD, value=65.5, n=8000)
    assert latest_records([RECORD, PLAIN, grown]) == [grown, PLAIN]


def test_a_frame_has_the_fields_as_columns():
    frame = to_frame([RECORD, PLAIN])
    assert list(frame.columns) == [field.name for field in dataclasses.fields(Record)]
    assert frame["value"].tolist() == [65.0, 65.0]
    assert list(to_frame([]).columns) == list(frame.columns)


@pytest.mark.parametrize("line", ["{", "[]", '{"benchmark":"x"}'])
def test_a_broken_line_is_named(tmp_path, line):
    path = tmp_path / "records.jsonl"
    append_records(path, [RECORD])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DatasetError, match="line 2"):
        read_records(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match="run the benchmark first"):
        read_records(tmp_path / "records.jsonl")


@pytest.mark.parametrize("wrong", [{"value": float("nan")}, {"low": 70.0}, {"value": 6500.0, "high": None}])
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(DatasetError, match="percentage points"):
        dataclasses.replace(RECORD, **wrong)
