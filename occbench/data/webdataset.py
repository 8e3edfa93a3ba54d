"""Writing occluded images as WebDataset tar shards: ``KEY-CONDITION.png``, ``.cls`` and ``.json`` for each row."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from occbench.core.errors import ConfigError
from occbench.core.files import whole_file

__all__ = ["TarShard", "require_webdataset", "tar_writer"]


class TarShard:
    """One open tar shard."""

    def __init__(self, writer: Any, suffix: str) -> None:  # noqa: ANN401 - webdataset ships no types
        """Wrap an open writer; made by ``tar_writer``."""
        self._writer = writer
        self._suffix = suffix.removeprefix(".")
        self.rows = 0

    def write(self, image: bytes, row: dict[str, Any]) -> None:
        """Write one row: the encoded image and the other columns of its Parquet twin (``label`` or ``labels``)."""
        members: dict[str, Any] = {
            "__key__": f"{row['key']}-{row['condition']}",
            self._suffix: image,
            "json": json.dumps(row, sort_keys=True).encode(),
        }
        if "label" in row:
            members["cls"] = str(row["label"]).encode()
        self._writer.write(members)
        self.rows += 1


def require_webdataset() -> None:
    """Check that the optional package is there, before any work starts.

    Raises:
        ConfigError: it is not.
    """
    try:
        import webdataset  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise ConfigError("--format webdataset needs the extra: pip install 'occbench[webdataset]'") from error


@contextmanager
def tar_writer(path: Path, suffix: str) -> Iterator[TarShard]:
    """Open a tar shard that appears when the block ends without an error; its bytes do not depend on the clock.

    Args:
        path: the ``.tar`` file.
        suffix: of the encoded images, ``.png`` or ``.jpg``.
    """
    from webdataset import TarWriter  # an extra, and a slow import

    with whole_file(path) as temporary, temporary.open("wb") as stream:
        writer = TarWriter(stream, encoder=False, user="occbench", group="occbench", mtime=0)
        with writer:
            yield TarShard(writer, suffix)
