"""What is a URL and what a path, where fetched things are kept, and names that may not become files."""

from pathlib import Path

import pytest

from occbench.core.errors import StorageError
from occbench.data.places import Place, cache_folder, fetch_folder, is_url

pytest.importorskip("fsspec")


@pytest.mark.parametrize("text", ["s3://bucket/x", "gs://b", "memory://x/y", "file:///tmp/x"])
def test_urls(text):
    assert is_url(text)


@pytest.mark.parametrize(
    "text", ["out", "/tmp/out", "hub:lab/toys", "lab/toys", "s3:/bucket", "C:\\x", "://x", Path("s3://x")]
)
def test_paths_and_repositories_are_no_urls(text):
    assert not is_url(text)


def test_the_cache_is_named_by_what_is_asked_and_lies_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("OCCBENCH_CACHE", str(tmp_path))
    assert cache_folder(["s3://a", 1]).parent == tmp_path
    assert cache_folder(["s3://a", 1]) != cache_folder(["s3://a", 2])
    monkeypatch.delenv("OCCBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder("x").parent == tmp_path / "xdg" / "occbench"


def test_a_folder_is_fetched_once_and_again_when_it_has_changed(monkeypatch, tmp_path):
    monkeypatch.setenv("OCCBENCH_CACHE", str(tmp_path / "cache"))
    there = tmp_path / "there"
    (there / "cats").mkdir(parents=True)
    (there / "cats" / "1.txt").write_text("one")
    url = there.as_uri()
    first = fetch_folder(url)
    assert (first / "cats" / "1.txt").read_text() == "one"
    fetched = []
    monkeypatch.setattr(Place, "fetch", lambda self, name, file: fetched.append(name))
    assert fetch_folder(url) == first
    assert fetched == []
    monkeypatch.undo()
    monkeypatch.setenv("OCCBENCH_CACHE", str(tmp_path / "cache"))
    (there / "cats" / "2.txt").write_text("two")
    second = fetch_folder(url)
    assert second != first
    assert sorted(path.name for path in (second / "cats").iterdir()) == ["1.txt", "2.txt"]


@pytest.mark.parametrize("name", ["../../escaped", "/etc/x", "a/../b", ".ssh/keys", "a//b", "a\\b", ""])
def test_names_that_lead_out_are_not_fetched(tmp_path, name):
    with pytest.raises(StorageError, match="cannot be a file"):
        Place(tmp_path.as_uri()).fetch_missing({name: 1}, tmp_path / "in")
    assert not (tmp_path / "in").exists()
