"""Files appear whole or not at all, and the disk's errors become one clear line."""

import errno
import hashlib
import json
import os
import threading
import time

import pytest

from occbench.core.errors import StorageError
from occbench.core.files import (
    PART_SUFFIX,
    hash_file,
    locked,
    process_name,
    remove_partial_files,
    storage_errors,
    whole_file,
    write_bytes,
    write_json,
)


class Interruption(BaseException):
    """Stands for a killed writer: not an Exception, as KeyboardInterrupt is not."""


def everything_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_file_is_there_only_after_the_block(tmp_path):
    path = tmp_path / "new" / "folder" / "data.bin"
    with whole_file(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        assert temporary.name.endswith(PART_SUFFIX)
        assert temporary.parent == path.parent
    assert path.read_bytes() == b"half"
    assert everything_in(tmp_path) == ["new/folder/data.bin"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Interruption])
def test_an_error_leaves_nothing_behind_and_is_passed_on(tmp_path, error):
    path = tmp_path / "data.bin"
    with pytest.raises(error), whole_file(path) as temporary:  # noqa: PT012 - the block is the subject
        temporary.write_bytes(b"half")
        raise error
    assert everything_in(tmp_path) == []


def test_an_error_keeps_the_file_that_was_there(tmp_path):
    path = tmp_path / "data.bin"
    write_bytes(path, b"old")
    with pytest.raises(ValueError, match="stop"), whole_file(path) as temporary:  # noqa: PT012
        temporary.write_bytes(b"new, half of it")
        raise ValueError("stop")
    assert path.read_bytes() == b"old"
    assert everything_in(tmp_path) == ["data.bin"]


def test_a_second_write_replaces_the_first(tmp_path):
    path = tmp_path / "data.bin"
    write_bytes(path, b"old and longer")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "data.bin"):
        pass
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_says_what_to_do(tmp_path, code):
    path = tmp_path / "data.bin"
    with pytest.raises(StorageError, match="no space left") as caught, whole_file(path) as temporary:  # noqa: PT012
        temporary.write_bytes(b"half")
        raise OSError(code, os.strerror(code))
    assert str(path) in str(caught.value)
    assert "Free some space" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_closed_folder_says_what_to_do(tmp_path, code):
    path = tmp_path / "data.bin"
    with pytest.raises(StorageError, match="Choose a folder that you may write") as caught, whole_file(path):
        raise OSError(code, os.strerror(code))
    assert str(path) in str(caught.value)
    assert os.strerror(code) in str(caught.value)


def test_another_disk_error_is_passed_on_as_it_is(tmp_path):
    with pytest.raises(OSError, match="Input/output error") as caught, whole_file(tmp_path / "data.bin"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    assert not isinstance(caught.value, StorageError)


def test_an_error_that_names_the_place_says_what_to_do(tmp_path):
    place = tmp_path / "folder" / "data.bin"
    for named in (place, place.parent, tmp_path, place / "below"):
        with pytest.raises(StorageError, match=r"cannot write .*Choose a folder"), storage_errors(place):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(named))
    with pytest.raises(FileNotFoundError), storage_errors(place):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(tmp_path / "another"))


def test_a_file_where_a_folder_should_be_is_a_storage_error(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError, match="cannot write"):
        write_bytes(tmp_path / "taken" / "data.bin", b"data")


def test_a_folder_where_the_file_should_be_is_a_storage_error(tmp_path):
    (tmp_path / "data.bin").mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        write_bytes(tmp_path / "data.bin", b"data")
    assert everything_in(tmp_path) == []


def test_json_is_sorted_readable_and_ends_in_a_newline(tmp_path):
    value = {"b": [1, 2], "a": "é"}
    write_json(tmp_path / "one.json", value)
    write_json(tmp_path / "other.json", dict(reversed(value.items())))
    text = (tmp_path / "one.json").read_text(encoding="utf-8")
    assert text == '{\n  "a": "é",\n  "b": [\n    1,\n    2\n  ]\n}\n'
    assert json.loads(text) == value
    assert (tmp_path / "other.json").read_text(encoding="utf-8") == text


def test_hash_is_sha256(tmp_path):
    write_bytes(tmp_path / "data.bin", b"abc" * 100_000)
    assert hash_file(tmp_path / "data.bin") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / f"a.bin.17{PART_SUFFIX}").write_bytes(b"half")
    (tmp_path / "deep" / f"b.bin.18{PART_SUFFIX}").write_bytes(b"half")
    (tmp_path / "deep" / "whole.bin").write_bytes(b"whole")
    assert remove_partial_files(tmp_path) == 2
    assert everything_in(tmp_path) == ["deep/whole.bin"]
    assert remove_partial_files(tmp_path) == 0


def test_a_lock_keeps_others_out_while_it_is_held(tmp_path):
    file = tmp_path / "lock"
    with locked(file, "held"), pytest.raises(StorageError, match=r"^held$"), locked(file, "held"):
        pytest.fail("two hold it")
    with locked(file, "held"):
        pass


def test_who_has_patience_gets_the_lock_when_its_holder_is_gone(tmp_path):
    file, let_go = tmp_path / "lock", threading.Event()

    def hold():
        with locked(file, "held"):
            let_go.set()
            time.sleep(0.3)

    holder = threading.Thread(target=hold)
    holder.start()
    let_go.wait()
    with locked(file, "held", patience_s=20):
        assert not holder.is_alive() or holder.join(1) is None
    with locked(file, "held"), pytest.raises(StorageError), locked(file, "held", patience_s=0.6):
        pytest.fail("two hold it")


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_is_one_line(tmp_path, monkeypatch, code):
    def flock(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(StorageError, match="knows no locks"), locked(tmp_path / "lock", "held"):
        pytest.fail("it is not held")


def test_processes_of_one_number_on_two_machines_write_to_different_files(tmp_path, monkeypatch):
    names = set()
    for machine in ("node-1", "node-2.lab", "x" * 200):
        monkeypatch.setattr("platform.node", lambda name=machine: name)
        names.add(process_name())
        with whole_file(tmp_path / "data") as temporary:
            names.add(temporary.name)
            temporary.touch()
    assert len(names) == 6
    assert all(len(name) < 100 and "/" not in name for name in names)
