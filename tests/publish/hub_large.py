"""The large-file side of the Hub's test double: the batch API of Git LFS, single and multi-part uploads, downloads."""

from urllib.parse import quote

from .hub_http import Handler


class LargeFiles(Handler):
    """Requests for files that are kept by their SHA-256."""

    def batch(self, kinds, name):
        repo = self.opened((kinds or "models/").strip("/"), name, write=True)
        if repo is None:
            return None
        wanted = self.json()["objects"]
        store = self.hub.store
        new = sum(item["size"] for item in wanted if item["oid"] not in store.large)
        if store.used_bytes() + new > store.quota_bytes:
            return self.refuse(413, "Private repository storage limit reached, please upgrade your plan")
        return self.answer(200, {"transfer": "multipart", "objects": [self.actions(item, repo) for item in wanted]})

    def actions(self, item, repo):
        if item["oid"] in self.hub.store.large:
            return item
        verify = {"href": f"{self.hub.endpoint}/{repo.kind}s/{repo.name}.git/info/lfs/objects/verify", "header": {}}
        step = self.hub.part_bytes
        if item["size"] <= step:
            return {**item, "actions": {"upload": {"href": f"{self.hub.storage}/put/{item['oid']}"}, "verify": verify}}
        parts = {
            f"{number + 1:05d}": f"{self.hub.storage}/put/{item['oid']}/{number + 1}"
            for number in range(-(-item["size"] // step))
        }
        complete = {"href": f"{self.hub.storage}/complete/{item['oid']}", "header": {"chunk_size": str(step), **parts}}
        return {**item, "actions": {"upload": complete, "verify": verify}}

    def put(self, oid, part=None):
        content = self.read()
        with self.hub.lock:
            if part:
                self.hub.store.parts[oid, int(part)] = content
            elif not self.hub.store.receive(oid, content):
                return self.refuse(400, "the content's SHA-256 is another one")
        return self.answer(200, b"", {"ETag": f'"{quote(oid[:8])}-{part or 0}"'})

    def complete(self, oid):
        asked = self.json()
        with self.hub.lock:
            parts = [self.hub.store.parts.pop((oid, item["partNumber"]), b"") for item in asked["parts"]]
            if asked["oid"] != oid or not self.hub.store.receive(oid, b"".join(parts)):
                return self.refuse(400, "the parts do not make up the file")
        return self.answer(200, {})

    def verify(self):
        asked = self.json()
        found = self.hub.store.large.get(asked["oid"])
        if found is None or len(found) != asked["size"]:
            return self.refuse(404, "no such object")
        return self.answer(200, {})

    def large(self, oid):
        return self.send(self.hub.store.large[oid], {"ETag": f'"{oid}"', "Accept-Ranges": "bytes"})
