"""The public names and the roles, for mkdocstrings to show with their docstrings."""

import occbench
from occbench.core import interfaces, networks, training

__all__ = ["api_pages"]


def api_pages() -> dict[str, str]:
    """Return path below ``reference/`` -> Markdown, of the package's public names and of the roles of plug-ins."""
    public = [
        f"## {name}\n\n::: occbench.{occbench._HOME_OF[name]}.{occbench._NAME_AT_HOME.get(name, name)}"
        for name in occbench.__all__
    ]
    roles = [
        f"## {name}\n\n::: {module.__name__}.{name}"
        for module in (interfaces, training, networks)
        for name in module.__all__
    ]
    return {
        "api.md": "\n\n".join(["# Python API", "`import occbench` offers these names.", *public]) + "\n",
        "roles.md": "\n\n".join(
            [
                "# Roles",
                "What a plug-in must be, and what it is given: `occbench.core.interfaces`, `.training`, `.networks`.",
                *roles,
            ]
        )
        + "\n",
    }
