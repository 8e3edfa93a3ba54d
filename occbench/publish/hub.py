"""Sending a bundle to the Hub through its own client: several commits, and a repeated call sends only what is missing.

What is there is read from the repository itself (paths, sizes, hashes), never from notes of an earlier run, so a call
that was killed, or whose answer was lost, is taken up by the next. The seal (a dataset's manifest) goes last.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from occbench.core.errors import HubError
from occbench.core.hub import RepoName, hub_errors, quiet_client
from occbench.publish.bundle import Bundle, HubFile, total_bytes
from occbench.publish.patience import patiently

__all__ = ["Access", "Progress", "Published", "page_of", "publish"]

#: A commit holds at most so much: the Hub limits both the commits of an hour and the files of a commit.
_COMMIT_FILES: Final = 200
_COMMIT_BYTES: Final = 5 * 10**9
#: Files that the Hub puts into every repository.
_OF_THE_HUB: Final = frozenset({".gitattributes"})


@dataclass(frozen=True)
class Access:
    """Who may see the repository.

    Attributes:
        private: only its owners; a public repository is not made private silently.
        gated: whoever wants to read must accept its terms first, and be let in by its owners.
    """

    private: bool = False
    gated: bool = False


@dataclass(frozen=True)
class Progress:
    """Where a publication stands.

    Attributes:
        done_bytes: sent so far, or found there.
        bytes: to be there in the end.
        note: what is being waited for; empty while all goes well.
    """

    done_bytes: int
    bytes: int
    note: str = ""


@dataclass(frozen=True)
class Published:
    """What a publication did.

    Attributes:
        url: the repository's page.
        sent: files that were sent.
        sent_bytes: their size.
        kept: files that were there already.
        removed: paths of an earlier publication that were removed.
        commits: how many were made.
    """

    url: str
    sent: int
    sent_bytes: int
    kept: int
    removed: tuple[str, ...]
    commits: int


def page_of(kind: str, repo: RepoName) -> str:
    """Return the address of a repository's page, whether or not it is there."""
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{'' if kind == 'model' else kind + 's/'}{repo.id}"


def publish(
    bundle: Bundle,
    repo: RepoName,
    access: Access = Access(),
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Published:
    """Create the repository where it is missing, then send what it lacks.

    Args:
        bundle: what is to be there.
        repo: where; its revision is a branch, created where it is missing.
        access: who may see it.
        on_progress: called after every commit and when the Hub makes us wait.

    Raises:
        HubError: no login, no right, no room or no connection; what was finished is kept.
    """
    done = 0

    def tell(note: str = "") -> None:
        on_progress(Progress(done, bundle.bytes, note))

    with hub_errors("publish to", repo), quiet_client(tell):
        sender = _Sender(bundle, repo)
        sender.open(access)
        there = sender.listing()
        sender.refuse_foreign(there)
        missing = [file for file in bundle.files if not _same(file, there.get(file.path))]
        seal = [file for file in bundle.seal if missing or not _same(file, there.get(file.path))]
        stale = sender.stale(there)
        done = bundle.bytes - total_bytes([*missing, *seal])
        tell()
        if missing:  # until all is there again, nothing may say that it is
            sender.unseal(there)
        for batch in _batches(missing):
            sender.send(batch)
            done += total_bytes(batch)
            tell()
        if seal or stale:
            sender.send(seal, stale)
        done = bundle.bytes
        tell()
    sent = [*missing, *seal]
    kept = len(bundle.all_files) - len(sent)
    return Published(sender.url, len(sent), total_bytes(sent), kept, tuple(stale), sender.commits)


class _Sender:
    """One publication to one repository."""

    def __init__(self, bundle: Bundle, repo: RepoName) -> None:
        from huggingface_hub import HfApi  # half a second to import

        self._api = HfApi(library_name="occbench")
        self._bundle = bundle
        self._repo = repo
        self._place: dict[str, Any] = {"repo_id": repo.id, "repo_type": bundle.kind}
        self.url = ""
        self.commits = 0

    def open(self, access: Access) -> None:
        """Log in, create the repository and its branch, and close it to those who may not see it."""
        patiently(self._api.whoami)
        private = True if access.private else None  # otherwise as its namespace has it
        created = patiently(lambda: self._api.create_repo(**self._place, private=private, exist_ok=True))
        self.url = str(created)
        info = patiently(lambda: self._api.repo_info(**self._place))
        if access.private and not info.private:
            raise HubError(
                f"{self._repo.id} is public, and --private was asked for. Make it private in its settings, or name "
                "another repository."
            )
        if access.gated and not info.gated:
            patiently(lambda: self._api.update_repo_settings(**self._place, gated="manual"))
            if not patiently(lambda: self._api.repo_info(**self._place)).gated:
                raise HubError(f"{self._repo.id} could not be gated, so nothing was sent. Gate it in its settings.")
        if self._repo.revision:
            branch = self._repo.revision
            patiently(lambda: self._api.create_branch(**self._place, branch=branch, exist_ok=True))

    def listing(self) -> dict[str, Any]:
        """Return path -> the Hub's entry of every file in the repository."""
        tree = self._api.list_repo_tree(**self._place, recursive=True, revision=self._repo.revision or None)
        return {entry.path: entry for entry in tree if hasattr(entry, "blob_id")}

    def refuse_foreign(self, there: dict[str, Any]) -> None:
        """Leave a repository alone that holds files and was not published by us."""
        seal = {file.path for file in self._bundle.seal}
        if any(path in seal or self._is_ours(path) for path in there):
            return  # published by us, wholly or in part; what its owners added stays
        if foreign := sorted(there.keys() - _OF_THE_HUB - {file.path for file in self._bundle.all_files}):
            raise HubError(
                f"{self._repo.id} holds {len(foreign)} files that occbench did not put there, {foreign[0]} among them. "
                "Name another repository, or empty that one; nothing in it was touched."
            )

    def stale(self, there: dict[str, Any]) -> list[str]:
        """Return files of an earlier publication that the bundle does not have."""
        ours = {file.path for file in self._bundle.all_files}
        return sorted(path for path in there if self._is_ours(path) and path not in ours)

    def _is_ours(self, path: str) -> bool:
        return re.fullmatch(self._bundle.ours, path) is not None

    def unseal(self, there: dict[str, Any]) -> None:
        """Remove the seal of an earlier publication."""
        if old := [file.path for file in self._bundle.seal if file.path in there]:
            self.send([], old)

    def send(self, files: Sequence[HubFile], remove: Sequence[str] = ()) -> None:
        """Send files in one commit, which removes others."""
        patiently(lambda: self._commit(files, remove), network=True)
        self.commits += 1

    def _commit(self, files: Sequence[HubFile], remove: Sequence[str]) -> None:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        there = self.listing() if remove else {}
        adds = [CommitOperationAdd(file.path, file.origin) for file in files]
        deletes = [CommitOperationDelete(path) for path in remove if path in there]
        self._api.create_commit(
            **self._place,
            operations=[*deletes, *adds],
            revision=self._repo.revision or None,
            commit_message=_message(files, remove),
        )


def _message(files: Sequence[HubFile], remove: Sequence[str]) -> str:
    if not files:
        return f"Make room for another publication: remove {len(remove)} files"
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"Publish {files[0].path}{more}"


def _same(file: HubFile, entry: Any) -> bool:  # noqa: ANN401 - the client's RepoFile, imported late
    """Whether the Hub has this very content."""
    if entry is None or entry.size != file.bytes:
        return False
    if entry.lfs is not None:
        return bool(entry.lfs.sha256 == file.sha256)
    return bool(entry.blob_id == file.git_oid())


def _batches(files: Sequence[HubFile]) -> Iterator[list[HubFile]]:
    """Cut files into commits."""
    batch: list[HubFile] = []
    for file in files:
        if batch and (len(batch) == _COMMIT_FILES or total_bytes(batch) + file.bytes > _COMMIT_BYTES):
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch
