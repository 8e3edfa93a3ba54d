"""A test double of the Hugging Face Hub: its HTTP API on loopback, as the unmodified client `huggingface_hub` calls it.

The client is pointed here by HF_ENDPOINT and told HF_HUB_DISABLE_XET=1, both documented. Large files live under another
host name (`localhost` beside `127.0.0.1`), as on the Hub: a client must not send its token there, and the log of
requests tells. Faults are switched on with `Hub.fail`.
"""

import base64
import json
import re
import threading
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, unquote

import yaml

from .hub_http import Hub
from .hub_large import LargeFiles
from .hub_store import LARGE_BYTES, LARGE_SUFFIXES

EXPIRED = (401, {"error": "Invalid credentials in Authorization header"})
_KINDS = {"models": "model", "datasets": "dataset"}


class _Handler(LargeFiles):
    def route(self, request):
        for pattern, verb in _ROUTES:
            if found := re.fullmatch(pattern, request):
                return verb(self, *found.groups())
        self.read()
        return self.refuse(404, f"no such route: {request}")

    # what everybody asks

    def whoami(self):
        if self.token not in self.hub.store.tokens:
            return self.answer(*EXPIRED)
        user, role = self.hub.store.tokens[self.token]
        orgs = [{"name": name, "type": "org"} for name in self.hub.store.members.get(user, ())]
        return self.answer(
            200,
            {"type": "user", "name": user, "orgs": orgs, "auth": {"accessToken": {"role": role, "displayName": "t"}}},
        )

    def create(self):
        asked = self.json()
        user, _ = self.hub.store.tokens.get(self.token, ("", ""))
        if not user:
            return self.answer(*EXPIRED)
        owner, kind = asked.get("organization") or user, asked.get("type", "model")
        if not self.hub.store.may_write(self.token, owner):
            return self.refuse(403, f'You don\'t have the rights to create a {kind} under the namespace "{owner}"')
        name = f"{owner}/{asked['name']}"
        if repo := self.hub.store.repos.get((kind, name)):
            return self.answer(409, {"error": f"You already created this {kind} repo", "url": self.url_of(repo)})
        repo = self.hub.store.create(kind, name, asked.get("private") or asked.get("visibility") == "private")
        return self.answer(200, {"url": self.url_of(repo), "name": name})

    def validate_yaml(self):
        content = self.json()["content"]
        found = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
        try:
            metadata = yaml.safe_load(found[1]) if found else {}
            problem = "" if isinstance(metadata, dict) else "metadata must be a mapping"
        except yaml.YAMLError as error:
            problem = str(error)
        if problem:
            return self.answer(400, {"errors": [{"message": problem}], "warnings": []})
        return self.answer(200, {"errors": [], "warnings": []})

    # one repository

    def url_of(self, repo):
        return f"{self.hub.endpoint}/{'' if repo.kind == 'model' else repo.kind + 's/'}{repo.name}"

    def opened(self, kinds, name, write=False):
        """Return the repository if the asker may see (or change) it; otherwise answer and return None."""
        store = self.hub.store
        repo = store.repos.get((_KINDS.get(kinds, "model"), name))
        if self.token and self.token not in store.tokens:
            self.read()
            return self.answer(*EXPIRED)
        may_write = store.may_write(self.token, name.partition("/")[0])
        if repo is None or (repo.private and not may_write):
            self.read()
            return self.refuse(404 if self.token else 401, "Repository not found", "RepoNotFound")
        if write and not may_write:
            self.read()
            return self.refuse(403, "you must have write access")
        return repo

    def at(self, kinds, name, revision):
        """Return (repository, name of the commit), or (None, None) and answer."""
        repo = self.opened(kinds, name)
        if repo is None:
            return None, None
        commit = repo.resolve(unquote(revision or "main"))
        if commit is None:
            self.read()
            self.refuse(404, f"Invalid rev id: {revision}", "RevisionNotFound")
            return None, None
        return repo, commit

    def info(self, kinds, name, revision=None):
        repo, commit = self.at(kinds, name, revision)
        if repo:
            files = [{"rfilename": path} for path in sorted(repo.commits[commit])]
            facts = {"_id": "1", "id": name, "sha": commit, "private": repo.private, "gated": repo.gated, "tags": []}
            self.answer(200, {**facts, "disabled": False, "downloads": 0, "likes": 0, "siblings": files})

    def settings(self, kinds, name):
        if repo := self.opened(kinds, name, write=True):
            asked = self.json()
            repo.gated = asked.get("gated", repo.gated)
            repo.private = asked.get("visibility", "private" if repo.private else "public") == "private"
            self.answer(200, {"gated": repo.gated})

    def branch(self, kinds, name, branch):
        if repo := self.opened(kinds, name, write=True):
            self.read()
            if branch in repo.branches:
                return self.refuse(409, "Reference already exists")
            repo.branches[branch] = repo.branches["main"]
            self.answer(200, {})
        return None

    def preupload(self, kinds, name, revision):
        if repo := self.opened(kinds, name, write=True):
            there = repo.files(revision)
            files = []
            for file in self.json()["files"]:
                large = file["path"].endswith(LARGE_SUFFIXES) or file["size"] > LARGE_BYTES
                known = {"oid": there[file["path"]].etag} if file["path"] in there else {}
                mode = "lfs" if large else "regular"
                files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, **known})
            self.answer(200, {"files": files, "commitOid": repo.resolve(revision)})

    def commit(self, kinds, name, revision):
        if repo := self.opened(kinds, name, write=True):
            lines = [json.loads(line) for line in self.read().splitlines()]
            for line in lines:
                if line["key"] == "file":
                    line["value"]["content"] = base64.b64decode(line["value"]["content"])
            with self.hub.lock:
                made, problem = self.hub.store.apply(repo, revision, lines)
            if problem:
                return self.refuse(400, problem)
            self.answer(200, {"success": True, "commitOid": made, "commitUrl": f"{self.url_of(repo)}/commit/{made}"})
        return None

    def tree(self, kinds, name, revision, folder):
        repo, commit = self.at(kinds, name, revision)
        if not repo:
            return None
        prefix = folder.strip("/") + "/" if folder else ""
        inside = {path: blob for path, blob in repo.commits[commit].items() if path.startswith(prefix)}
        if prefix and not inside:
            return self.refuse(404, f"{folder} does not exist", "EntryNotFound")
        entries = self.entries(inside, prefix, self.query.get("recursive", "").lower() in ("true", "1"))
        start = int(self.query.get("cursor", 0))
        page, headers = entries[start : start + self.hub.page], {}
        if start + self.hub.page < len(entries):
            query = f"recursive={self.query.get('recursive', '')}&cursor={start + self.hub.page}"
            headers["Link"] = f'<{self.hub.endpoint}{self.url.path}?{query}>; rel="next"'
        return self.answer(200, page, headers)

    @staticmethod
    def entries(files, prefix, recursive):
        folders = {path[: path.index("/", len(prefix))] for path in files if "/" in path[len(prefix) :]}
        if recursive:
            parents = {"/".join(path.split("/")[:depth]) for path in files for depth in range(1, path.count("/") + 1)}
            folders = {path for path in parents if path.startswith(prefix)}
        found = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": path} for path in folders]
        found += [
            {**blob.entry, "path": path} for path, blob in files.items() if recursive or "/" not in path[len(prefix) :]
        ]
        return sorted(found, key=lambda entry: entry["path"])

    def paths_info(self, kinds, name, revision):
        repo, commit = self.at(kinds, name, revision)
        if repo:
            body = self.read()
            is_json = "json" in self.headers.get("Content-Type", "")
            paths = json.loads(body)["paths"] if is_json else parse_qs(body.decode()).get("paths", [])
            files = repo.commits[commit]
            found = [{**files[path].entry, "path": path} for path in paths if path in files]
            folders = [path for path in paths if any(file.startswith(f"{path}/") for file in files)]
            self.answer(200, found + [{"type": "directory", "oid": "0" * 40, "size": 0, "path": p} for p in folders])

    def resolve(self, kinds, name, revision, path):
        repo, commit = self.at((kinds or "models/").strip("/"), name, revision)
        if not repo:
            return None
        if (blob := repo.commits[commit].get(path)) is None:
            return self.answer(
                404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}
            )
        facts = {"X-Repo-Commit": commit, "ETag": f'"{blob.etag}"', "Accept-Ranges": "bytes"}
        if not blob.large:
            return self.send(blob.content, facts)
        facts |= {"X-Linked-Size": len(blob.content), "X-Linked-Etag": f'"{blob.large}"'}
        return self.answer(302, b"", {**facts, "Location": f"{self.hub.storage}/large/{blob.large}"})


_REPO = r"/api/(models|datasets)/([^/]+/[^/]+)"
_GIT = r"/(datasets/|models/)?([^/]+/[^/]+)"
_ROUTES = [
    (r"GET /api/whoami-v2", _Handler.whoami),
    (r"POST /api/repos/create", _Handler.create),
    (r"POST /api/validate-yaml", _Handler.validate_yaml),
    (rf"GET {_REPO}", _Handler.info),
    (rf"GET {_REPO}/revision/(.+)", _Handler.info),
    (rf"PUT {_REPO}/settings", _Handler.settings),
    (rf"POST {_REPO}/branch/(.+)", _Handler.branch),
    (rf"POST {_REPO}/preupload/(.+)", _Handler.preupload),
    (rf"POST {_REPO}/commit/(.+)", _Handler.commit),
    (rf"GET {_REPO}/tree/([^/]+)(/.*)?", _Handler.tree),
    (rf"POST {_REPO}/paths-info/(.+)", _Handler.paths_info),
    (rf"(?:GET|HEAD) {_GIT}/resolve/([^/]+)/(.+)", _Handler.resolve),
    (rf"POST {_GIT}\.git/info/lfs/objects/batch", _Handler.batch),
    (rf"POST {_GIT}\.git/info/lfs/objects/verify", lambda self, *_: self.verify()),
    (r"PUT /put/(\w+)(?:/(\d+))?", _Handler.put),
    (r"POST /complete/(\w+)", _Handler.complete),
    (r"(?:GET|HEAD) /large/(\w+)", _Handler.large),
]


@contextmanager
def running(store):
    """Serve a store on a free port of this machine until the block ends."""
    hub = Hub(store)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
