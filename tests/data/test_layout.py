"""The names of a dataset's files are those of FORMAT.md, and whatever a run makes has one of them."""

from pathlib import Path

from occbench.data import layout


def test_the_specification_says_the_same():
    text = Path(layout.__file__).with_name("FORMAT.md").read_text(encoding="utf-8")
    unsaid = [name for name in layout.__all__ if name.isupper() and f"{getattr(layout, name)}" not in text]
    assert not unsaid


def test_a_finished_dataset_has_no_other_files(finished):
    directory = finished(layout="materialised")
    names = {getattr(layout, name) for name in layout.__all__ if name.isupper()}
    for path in directory.rglob("*"):
        inside = path.relative_to(directory)
        assert inside.parts[0] in names
        if len(inside.parts) == 2:
            assert path.name.startswith("shard-0000")
    assert layout.shard_name(7) == "shard-00007"
