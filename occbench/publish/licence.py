"""Whose pixels may be published, and how: what a source says of its images decides."""

from occbench.core.errors import ConfigError, PluginError
from occbench.core.interfaces import Source
from occbench.core.plugins import find_plugin
from occbench.data.manifest import Manifest
from occbench.data.readme import Mode

__all__ = ["permitted_licence"]


def permitted_licence(manifest: Manifest, mode: Mode, licence: str) -> str:
    """Return the identifier of the licence that a dataset is published under.

    Args:
        manifest: the dataset.
        mode: what is published.
        licence: the identifier that the publisher gives, e.g. ``cc-by-4.0``; empty to take the source's.

    Raises:
        ConfigError: the terms of the clean images do not allow it, or nobody knows them.
    """
    name, terms = manifest.source.name, manifest.source.terms
    sharing, of_source = _what_the_source_says(name)
    if mode == "recipe":
        if sharing == "never" and manifest.made_by:
            raise ConfigError(
                f"the images of {name} may not be passed on ({terms}), and the stored overlays of this dataset were "
                "made from them. Publish a dataset of another family as a recipe."
            )
        return licence or "other"
    if sharing == "never":
        raise ConfigError(
            f"the images of {name} may not be passed on, nor what is made from them: {terms}. Publish with --as recipe."
        )
    if sharing == "gated" and mode == "pixels":
        raise ConfigError(
            f"the images of {name} may only go to those who accept their terms: {terms}. Publish with --as gated, or "
            "with --as recipe, which holds no pixels of theirs."
        )
    if sharing == "ask" and not licence:
        raise ConfigError(
            f"nothing says under which licence the images of {name} may be passed on ({terms}). Say it with --licence, "
            "for example --licence cc-by-4.0, if you know that they may; otherwise publish with --as recipe."
        )
    return licence or of_source or "other"


def _what_the_source_says(name: str) -> tuple[str, str]:
    try:
        source = find_plugin("sources", name, Source)
    except PluginError:  # a plug-in that this machine does not have
        return "ask", ""
    return source.sharing, source.licence
