"""Links that leave the folder of the pages: to a page of the site that shows the file; where none does, plain text."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

__all__ = ["relink"]

_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)


def relink(text: str, *, page: str, home: str, pages: Mapping[str, str]) -> str:
    """Return Markdown whose links lead to pages of the site.

    Args:
        text: of the page; what stands in fenced blocks is left alone.
        page: its path in the site.
        home: the path in the repository of the file that it shows; its relative links start there.
        pages: path in the repository -> path in the site.
    """
    follow = _follower(page, home, pages)
    parts = _FENCED.split(text)
    return "".join(part if part.startswith("```") else _LINK.sub(follow, part) for part in parts)


def _follower(page: str, home: str, pages: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    def follow(link: re.Match[str]) -> str:
        target, _, anchor = link["target"].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return link[0]
        path = os.path.normpath(PurePosixPath(home).parent / target)
        if path.startswith("docs/"):
            place = path.removeprefix("docs/")
        elif path in pages:
            place = pages[path]
        else:
            return link["text"] if link["text"].startswith("`") else f"`{path}`"
        new = os.path.relpath(place, PurePosixPath(page).parent)
        return f"{link['picture']}[{link['text']}]({new}{'#' + anchor if anchor else ''})"

    return follow
