"""The Hub's limits on files, folders and row groups: kept by what is generated, checked before anything is sent."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from occbench.core.errors import DatasetError
from occbench.generate.plan import plan
from occbench.publish import limits
from occbench.publish.bundle import HubFile
from occbench.publish.limits import check_limits


class Many:
    """A source of which only the number of images matters here."""

    fingerprint = "x"

    def __init__(self, count):
        self._count = count

    def __len__(self):
        return self._count


def planned(tiny_recipe, count, **storage):
    return plan(tiny_recipe(**storage), Many(count), "")


def test_a_folder_never_gets_ten_thousand_files(tiny_recipe):
    assert planned(tiny_recipe, 9_999, rows_per_shard=1).images_per_shard == 1
    made = planned(tiny_recipe, 1_281_167, rows_per_shard=1)
    assert len(made.shards(Path("out"))) <= 9_999


def test_a_file_stays_below_twenty_gigabytes_even_uncompressed(tiny_content):
    from occbench.data.recipe import parse_recipe

    for layout, size_px in (("virtual", 48), ("virtual", 2048), ("materialised", 384), ("materialised", 4096)):
        content = tiny_content(rows_per_shard=1_000_000, layout=layout)
        content["prepare"]["size_px"] = size_px
        made = plan(parse_recipe(content, "tiny"), Many(10**5), "")
        rows = made.images_per_shard * (made.conditions if layout == "materialised" else 1)
        assert rows * 3 * size_px**2 < 20 * 10**9
        assert made.images_per_shard >= 1


def test_the_usual_shards_stay_as_they_are(tiny_recipe):
    assert planned(tiny_recipe, 100).images_per_shard == 2
    assert planned(tiny_recipe, 50_000, rows_per_shard=6144).images_per_shard == 6144 // 8


def test_what_is_beyond_the_limits_is_refused_by_name(tmp_path):
    crowd = [HubFile(f"clean/shard-{number:05d}.txt", b"", 0, "") for number in range(10_000)]
    assert check_limits(crowd[1:]) == ()
    with pytest.raises(DatasetError, match=r"clean has 10,000 files.*larger storage\.rows_per_shard"):
        check_limits(crowd)
    with pytest.raises(DatasetError, match=r"a\.tar has 20\.0 GB.*smaller storage\.rows_per_shard"):
        check_limits([HubFile("a.tar", tmp_path, 20 * 10**9, "")])
    (tmp_path / "b.parquet").write_bytes(b"no")
    with pytest.raises(DatasetError, match=r"b\.parquet is no Parquet file"):
        check_limits([HubFile("b.parquet", tmp_path / "b.parquet", 2, "")])


def test_a_row_group_too_large_for_the_viewer_is_said(tmp_path, monkeypatch):
    assert limits._GROUP_BYTES == 200 * 2**20
    monkeypatch.setattr(limits, "_GROUP_BYTES", 2 * 2**20)
    for name, count in (("small", 1), ("large", 3)):
        table = pa.table({"image": pa.array([bytes(2**20)] * count)})
        pq.write_table(table, tmp_path / f"{name}.parquet", use_dictionary=False, compression="zstd")
    files = [HubFile(f"clean/{name}.parquet", tmp_path / f"{name}.parquet", 1, "") for name in ("small", "large")]
    (note,) = check_limits(files)
    assert note.startswith("1 files, clean/large.parquet among them, have row groups above 200 MiB")
