"""The YAML and CSV files that come with occbench: inside the package when it is installed, beside it in a checkout."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from occbench.core.errors import ConfigError
from occbench.core.messages import did_you_mean

__all__ = ["Shelf"]

_PACKAGE: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Shelf:
    """One folder of such files.

    Attributes:
        folder: its path in a checkout, ``recipes``.
        suffix: of its files.
        kind: what they are, in messages.
    """

    folder: str
    suffix: str
    kind: str

    def names(self) -> list[str]:
        """Return the names of its files, sorted."""
        folders = [folder for folder in self._folders if folder.is_dir()]
        return sorted({file.stem for folder in folders for file in folder.glob(f"*{self.suffix}")})

    def find(self, name_or_path: str) -> Path:
        """Return the file of that name, or the path itself.

        Raises:
            ConfigError: neither a name on the shelf nor a file.
        """
        places = [folder / f"{name_or_path}{self.suffix}" for folder in self._folders]
        for path in (*places, Path(name_or_path)):
            if path.is_file():
                return path
        packaged = f"Packaged: {', '.join(self.names())}."
        close = did_you_mean(name_or_path, self.names(), "")
        hint = f"{close} {packaged}" if close else packaged
        raise ConfigError(f"no {self.kind} is called {name_or_path!r}, and there is no such file. {hint}")

    @property
    def _folders(self) -> tuple[Path, Path]:
        return _PACKAGE / f"_{self.folder}", _PACKAGE.parent / self.folder
