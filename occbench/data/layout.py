"""Names of the files and folders of a dataset, and of what publishing adds to it; FORMAT.md says what is in each."""

from typing import Final

__all__ = [
    "CARD_FILE",
    "CLEAN_FOLDER",
    "CROISSANT_FILE",
    "KEYS_FILE",
    "MANIFEST_FILE",
    "OCCLUDED_FOLDER",
    "OVERLAYS_FOLDER",
    "PATTERNS_FILE",
    "PICTURE_FILE",
    "QUARANTINE_FILE",
    "REBUILD_FILE",
    "RECIPE_FILE",
    "WORK_FOLDER",
    "shard_name",
]

MANIFEST_FILE: Final = "manifest.json"
CARD_FILE: Final = "README.md"
QUARANTINE_FILE: Final = "quarantine.jsonl"
PATTERNS_FILE: Final = "patterns.parquet"

CLEAN_FOLDER: Final = "clean"
OVERLAYS_FOLDER: Final = "overlays"
OCCLUDED_FOLDER: Final = "occluded"
#: Progress of an unfinished run; removed when the manifest is written.
WORK_FOLDER: Final = ".work"

CROISSANT_FILE: Final = "croissant.json"
PICTURE_FILE: Final = "preview.png"

#: What is published of a dataset without its photographs: its manifest under another name, its recipe, its keys.
REBUILD_FILE: Final = "rebuild.json"
RECIPE_FILE: Final = "recipe.yaml"
KEYS_FILE: Final = "keys.parquet"


def shard_name(number: int) -> str:
    """Return the name of a shard's files, without their endings."""
    return f"shard-{number:05d}"
