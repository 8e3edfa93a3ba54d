"""Files of the repository that are pages of the site, too: the format, what was measured, what runs have found."""

from pathlib import Path
from typing import Final

__all__ = ["REPOSITORY", "repository_pages", "result_names"]

REPOSITORY: Final = Path(__file__).parents[2]
_RESULTS: Final = "benchmarks/results"


def result_names() -> list[str]:
    """Return the names of the runs whose records are kept, sorted."""
    return sorted(folder.name for folder in (REPOSITORY / _RESULTS).iterdir() if folder.is_dir())


def repository_pages() -> dict[str, str]:
    """Return path in the repository -> path in the site, of Markdown files and the pictures beside them."""
    measured = {f"benchmarks/{name}/README.md": f"{name}.md" for name in ("speed", "endurance")}
    pages = {"occbench/data/FORMAT.md": "reference/format.md", **measured}
    for file in sorted((REPOSITORY / _RESULTS).rglob("*")):
        if file.suffix in {".md", ".png"}:
            name = "index.md" if file.name == "README.md" else file.name
            place = file.relative_to(REPOSITORY)
            pages[place.as_posix()] = f"results/{place.parent.name}/{name}"
    return pages
