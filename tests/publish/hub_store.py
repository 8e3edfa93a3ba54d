"""What a Hub remembers: repositories, commits, branches, file contents. In memory; a test double without HTTP."""

from dataclasses import dataclass, field
from hashlib import sha1, sha256

#: Endings that the Hub's default .gitattributes puts into large-file storage.
LARGE_SUFFIXES = (".parquet", ".tar", ".zip", ".safetensors", ".png", ".jpg", ".bin")
#: Other files are large from here on, bytes.
LARGE_BYTES = 10 * 2**20
_GITATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LARGE_SUFFIXES).encode()


def git_oid(content):
    """Return git's name of a file: SHA-1 of a header and the content."""
    return sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True)
class Blob:
    """A file in a commit: its content, and its SHA-256 where it lies in large-file storage."""

    content: bytes
    large: str = ""

    @property
    def entry(self):
        """What `tree` and `paths-info` say of it, but for its path."""
        if not self.large:
            return {"type": "file", "oid": git_oid(self.content), "size": len(self.content)}
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (
            self.large.encode(),
            len(self.content),
        )
        lfs = {"oid": self.large, "size": len(self.content), "pointerSize": len(pointer)}
        return {"type": "file", "oid": git_oid(pointer), "size": len(self.content), "lfs": lfs}

    @property
    def etag(self):
        return self.large or git_oid(self.content)


@dataclass
class Repo:
    """A repository: branches point to commits, a commit is {path: Blob}."""

    kind: str
    name: str
    private: bool = False
    gated: str | bool = False
    commits: dict = field(default_factory=dict)
    branches: dict = field(default_factory=dict)
    messages: list = field(default_factory=list)

    def __post_init__(self):
        self.commit("main", {".gitattributes": Blob(_GITATTRIBUTES)}, "initial commit")

    def commit(self, branch, files, message):
        """Add a commit of all the repository's files; return its name."""
        said = repr([self.name, len(self.messages), sorted((path, blob.etag) for path, blob in files.items())])
        name = sha1(said.encode()).hexdigest()
        self.commits[name] = dict(files)
        self.branches[branch] = name
        self.messages.append(message)
        return name

    def resolve(self, revision):
        """Return the name of a branch's commit, or of the commit itself; None for neither."""
        return self.branches.get(revision) or (revision if revision in self.commits else None)

    def files(self, revision="main"):
        return self.commits[self.resolve(revision)]


@dataclass
class Store:
    """All repositories, users, and the large-file storage that they share."""

    repos: dict = field(default_factory=dict)
    #: token -> (user, "write" or "read")
    tokens: dict = field(default_factory=dict)
    #: user -> organisations
    members: dict = field(default_factory=dict)
    #: SHA-256 -> content
    large: dict = field(default_factory=dict)
    #: (SHA-256, part number) -> content of multi-part uploads under way
    parts: dict = field(default_factory=dict)
    quota_bytes: int = 10**12

    def create(self, kind, name, private=False):
        self.repos[kind, name] = Repo(kind, name, private)
        return self.repos[kind, name]

    def may_write(self, token, namespace):
        user, role = self.tokens.get(token, ("", ""))
        return role == "write" and namespace in (user, *self.members.get(user, ()))

    def used_bytes(self):
        return sum(map(len, self.large.values()))

    def receive(self, oid, content):
        """Keep a large file; false where its content is not what its name says."""
        if sha256(content).hexdigest() != oid:
            return False
        self.large[oid] = content
        return True

    def apply(self, repo, branch, lines):
        """Apply the operations of a commit request; return its name, or a message saying why it is refused."""
        files = dict(repo.files(branch))
        message = ""
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                message = value["summary"]
            elif line["key"] == "file":
                files[value["path"]] = Blob(value["content"])
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.large:
                    return None, f"large file {value['oid']} was not uploaded"
                files[value["path"]] = Blob(self.large[value["oid"]], value["oid"])
            elif line["key"] == "deletedFile" and files.pop(value["path"], None) is None:
                return None, "A file with this name doesn't exist"
        return repo.commit(branch, files, message), ""
