"""Files beside images: what they hold, and one clear line for each way in which they cannot be read."""

import numpy as np
import pytest
from scipy.io import savemat

from occbench.core.errors import SourceError
from occbench.sources.side_files import read_bytes, read_matlab, read_text


def test_text_is_read_with_and_without_a_byte_order_mark(tmp_path):
    for name, start in (("plain", b""), ("marked", b"\xef\xbb\xbf")):
        (tmp_path / name).write_bytes(start + "Äpfel\n".encode())
        assert read_text(tmp_path / name, "list", "Mend it.") == "Äpfel\n"


def test_a_variable_is_converted_without_axes_of_length_1(tmp_path):
    savemat(tmp_path / "a.mat", {"labels": np.array([[3, 1, 2]], dtype=np.uint8)})
    assert read_matlab(tmp_path / "a.mat", "labels", lambda found: found.tolist(), "Mend it.") == [3, 1, 2]


def test_what_cannot_be_read_is_named_with_what_to_do(tmp_path):
    (tmp_path / "noise").write_bytes(b"\xff\xfe\x00\x81" * 99)
    savemat(tmp_path / "other.mat", {"something": 1})
    for name, read, message in (
        ("gone", read_bytes, r"there is no list .*gone\. Mend it\."),
        (".", read_bytes, r"the list .* cannot be read: Is a directory\. Mend it\."),
        ("a\0b", read_bytes, r"no list can have the name 'a\\x00b' \(embedded null byte\)\. Mend it\."),
        ("noise", read_text, r"the list .*noise is not text in UTF-8\. Mend it\."),
    ):
        with pytest.raises(SourceError, match=message):
            read(tmp_path / name, "list", "Mend it.")
    for name in ("noise", "other.mat"):
        with pytest.raises(SourceError, match=rf"{name} is no MATLAB file with usable labels .*\. Mend it\."):
            read_matlab(tmp_path / name, "labels", list, "Mend it.")
