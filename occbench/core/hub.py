"""The Hugging Face Hub's names and errors: which repository is meant, and what went wrong in one line.

Everything that speaks with the Hub does so inside ``hub_errors``; no token is ever read, kept or printed here.
"""

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from occbench.core.errors import ConfigError, HubError
from occbench.core.messages import causes, one_line

__all__ = ["REPOSITORY", "RepoName", "hub_errors", "is_network_error", "names_repo", "parse_repo", "quiet_client"]

#: The libraries whose errors mean that a connection failed; which one the client uses depends on its version.
_NETWORK: Final = frozenset({"httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3"})
#: ``namespace/name``.
REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_PREFIX: Final = "hub:"
_KEPT: Final = "What was finished is kept; the same command goes on from there."
_TOKEN: Final = re.compile(r"hf_\w+")


@dataclass(frozen=True, slots=True)
class RepoName:
    """A repository on the Hub.

    Attributes:
        id: ``namespace/name``.
        revision: a branch, tag or commit; empty for the main branch.
    """

    id: str
    revision: str = ""

    def __str__(self) -> str:
        return f"{_PREFIX}{self.id}@{self.revision}" if self.revision else f"{_PREFIX}{self.id}"


def parse_repo(text: str) -> RepoName:
    """Read ``namespace/name``, with or without ``hub:`` before and ``@revision`` behind.

    Raises:
        ConfigError: it is no such name.
    """
    name, _, revision = text.removeprefix(_PREFIX).partition("@")
    if not REPOSITORY.fullmatch(name) or ".." in name or "--" in name:
        raise ConfigError(
            f"a repository on the Hub is called NAMESPACE/NAME, for example my-lab/caltech-occluded; found {text!r}."
        )
    return RepoName(name, revision)


def names_repo(text: str) -> bool:
    """Return whether a text that names no local file could name a repository."""
    return text.startswith(_PREFIX) or bool(REPOSITORY.fullmatch(text.partition("@")[0]))


@contextmanager
def hub_errors(doing: str, repo: RepoName) -> Iterator[None]:
    """Turn whatever the Hub's client raises into one line.

    Args:
        doing: what is being tried, e.g. ``publish to``.
        repo: the repository.

    Raises:
        HubError: in place of the client's own errors.
    """
    try:
        yield
    except (HubError, ConfigError):
        raise
    except Exception as error:
        reason = next(filter(None, map(_explain, causes(error))), None)
        if reason is None:
            raise
        message = f"cannot {doing} {repo.id}: {reason} {_KEPT}"
        raise HubError(_TOKEN.sub("hf_...", message)) from error


def is_network_error(error: BaseException) -> bool:
    """Return whether a connection failed, rather than that the other side refused."""
    from_library = type(error).__module__.partition(".")[0] in _NETWORK
    return (from_library and getattr(error, "response", None) is None) or isinstance(
        error, ConnectionError | TimeoutError
    )


def _explain(error: BaseException) -> str | None:
    """Say what an error of the client means and what to do; None where it is no such error."""
    from huggingface_hub import errors as hub

    for kind, meaning in (
        (hub.LocalTokenNotFoundError, "nobody is logged in. Run `hf auth login` and give it a token that may write."),
        (hub.OfflineModeIsEnabled, "HF_HUB_OFFLINE is set, so the Hub is not asked. Unset it and run again."),
        (hub.GatedRepoError, "access must be asked for on its page first, then granted by its owners."),
        (hub.RevisionNotFoundError, "it has no such branch, tag or commit. Check the revision."),
    ):
        if isinstance(error, kind):
            return meaning
    if isinstance(error, hub.HfHubHTTPError):
        return _explain_status(int(error.response.status_code), _server_says(error))
    name = type(error).__name__
    if is_network_error(error):
        return f"the connection to the Hub failed ({name}). Check the network and run again."
    # a full disk, a refused card, and what the transfer library raises as plain errors
    outermost = error.__cause__ is None and error.__context__ is None
    if outermost and isinstance(error, OSError | RuntimeError | ValueError):
        return f"{one_line(error)}."
    return None


def _explain_status(status: int, said: str) -> str:
    if status == 401:
        return "the Hub does not know the token: it is wrong or has expired. Run `hf auth login` with a new one."
    if status == 403:
        return f"the token may not do this{said}. Check the namespace, and that the token has the right to write there."
    if status == 404:
        return f"the Hub has no such repository or namespace, or this login may not see it{said}. Check the name."
    if status in (402, 413, 507):
        return f"the storage of that namespace is full{said}. Make room or choose another namespace."
    if status == 429:
        return "the Hub asks for fewer requests and still does after several waits. Run again in some minutes."
    if status >= 500:
        return f"the Hub is out of order (status {status}) and still is after several tries. Run again later."
    return f"the Hub refuses the request (status {status}){said}."


def _server_says(error: BaseException) -> str:
    said = one_line(getattr(error, "server_message", "") or "")
    return f" ({said})" if said else ""


class _Waiting(logging.Handler):
    """Passes on that the client waits before another try, without the addresses that it names."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        if (text := record.getMessage()).startswith(("Retrying in", "Rate limited")):
            self._tell(text.partition("[")[0].strip())


@contextmanager
def quiet_client(tell: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Keep the Hub's client from drawing bars and writing warnings of its own while the block runs.

    Args:
        tell: called when the client waits because the Hub asks it to, with how long.
    """
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    logger = logging.getLogger("huggingface_hub")
    handlers, propagate, bars = logger.handlers[:], logger.propagate, not are_progress_bars_disabled()
    logger.handlers, logger.propagate = [_Waiting(tell)], False
    disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about cards and forks; what matters is raised
            yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate
        if bars:
            enable_progress_bars()
