"""What the Parquet files are like inside: row groups, pages, compression, and what a failed writer leaves."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from occbench.data.shards import CLEAN_ROWS_PER_GROUP, ShardIndex, parquet_writer, variants_per_group

SCHEMA = pa.schema([("key", pa.string()), ("row", pa.int64())])


def files(directory, folder):
    return [pq.ParquetFile(path) for path in sorted((directory / folder).glob("*.parquet"))]


@pytest.mark.parametrize("occluded", ["png", "jpeg"])
def test_all_variants_of_an_image_are_one_row_group(finished, occluded):
    shards = files(finished(layout="materialised", occluded=occluded), "occluded")
    assert len(shards) == 6
    for shard in shards:
        assert shard.num_row_groups == 2
        for group in range(shard.num_row_groups):
            rows = shard.read_row_group(group, columns=["key", "row"]).to_pydict()
            assert len(set(rows["key"])) == 1
            assert rows["row"] == list(range(rows["row"][0], rows["row"][0] + 8))
            assert rows["row"][0] % 8 == 0


def test_clean_images_share_small_row_groups(finished):
    for shard in files(finished(rows_per_shard=80), "clean"):
        counts = [shard.metadata.row_group(group).num_rows for group in range(shard.num_row_groups)]
        assert max(counts) <= CLEAN_ROWS_PER_GROUP
        assert all(count == CLEAN_ROWS_PER_GROUP for count in counts[:-1])


@pytest.mark.parametrize("folder", ["clean", "occluded"])
def test_columns_are_compressed_indexed_and_small(finished, folder):
    for shard in files(finished(layout="materialised"), folder):
        for group in range(shard.num_row_groups):
            meta = shard.metadata.row_group(group)
            assert meta.total_byte_size < 200 * 2**20
            columns = {meta.column(at).path_in_schema: meta.column(at) for at in range(meta.num_columns)}
            assert {column.compression for column in columns.values()} == {"ZSTD"}
            assert all(column.has_offset_index for column in columns.values())
            assert columns["key"].has_column_index
            assert columns["key"].statistics.has_min_max


def test_what_variants_share_is_stored_once(finished):
    """Eight variants of an image cost less than two images alone."""
    for shard in files(finished(layout="materialised"), "occluded"):
        meta = shard.metadata.row_group(0)
        packed = next(
            meta.column(at) for at in range(meta.num_columns) if meta.column(at).path_in_schema == "image.bytes"
        )
        assert packed.total_compressed_size < 2 * 48 * 48 * 3 + 8 * 48 * 48 * 3 * 0.35
        assert packed.total_compressed_size < packed.total_uncompressed_size / 2


def test_row_groups_are_planned_below_200_mib(tiny_content):
    from occbench.data.recipe import parse_recipe

    for size_px in (224, 1024, 8192):
        content = {**tiny_content(), "prepare": {"size_px": size_px}}
        count = variants_per_group(parse_recipe(content, "tiny.yaml"))
        assert 1 <= count <= 8
        assert count == 1 or count * 3 * size_px**2 < 200 * 2**20
    unresized = {**tiny_content(), "prepare": {"rule": "none"}}
    assert variants_per_group(parse_recipe(unresized, "tiny.yaml")) == 8


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), parquet_writer(tmp_path / "x.parquet", SCHEMA) as writer:
        writer.write_group({"key": ["a"], "row": [1 // 0]})
    assert list(tmp_path.iterdir()) == []


def test_no_rows_are_a_readable_file(tmp_path):
    with parquet_writer(tmp_path / "x.parquet", SCHEMA) as writer:
        pass
    assert writer.rows == 0
    assert pq.read_table(tmp_path / "x.parquet").schema.equals(SCHEMA)


def test_positions_are_found_across_shards_with_empty_ones_among_them():
    index = ShardIndex([2, 0, 3, 0])
    assert len(index) == 5
    assert [index.find(position) for position in range(5)] == [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2)]
    assert index.find(-1) == (2, 2)
    for position in (5, -6):
        with pytest.raises(IndexError, match=f"no item {position} among 5"):
            index.find(position)
    with pytest.raises(IndexError):
        ShardIndex([]).find(0)
