"""The HTTP side of the Hub's test double: requests and answers with faults that a test switches on."""

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

from .hub_store import Store


@dataclass
class Fault:
    """A request that goes wrong.

    Attributes:
        request: pattern of `METHOD /path` that it befalls.
        status: answered instead of the true one; 0 to cut the connection.
        body: JSON answered with the status.
        headers: answered with the status.
        after_bytes: of the request's or the answer's body, before the connection is cut.
        lose_answer: carry the request out, then cut the connection.
        times: how often; then all is well again.
        skip: how many such requests pass before.
    """

    request: str
    status: int = 0
    body: dict = field(default_factory=lambda: {"error": "out of order"})
    headers: dict = field(default_factory=dict)
    after_bytes: int = 0
    lose_answer: bool = False
    times: int = 1
    skip: int = 0


@dataclass
class Hub:
    """A running server: what it stores, what it was asked, what is to go wrong."""

    store: Store
    port: int = 0
    #: pages of listings hold so many files, so that small tests turn pages
    page: int = 7
    #: large files above it are uploaded in parts of so many bytes
    part_bytes: int = 64 * 1024
    #: called with every request as "METHOD /path"
    watch: object = None
    faults: list = field(default_factory=list)
    #: (host, "METHOD /path?query", token or "")
    log: list = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def storage(self):
        return f"http://localhost:{self.port}"

    def fail(self, request, status=0, **facts):
        self.faults.append(Fault(request, status, **facts))

    def fault_of(self, request):
        with self.lock:
            for fault in self.faults:
                if re.search(fault.request, request):
                    fault.skip -= 1
                    if fault.skip < 0:
                        fault.times -= 1
                        if not fault.times:
                            self.faults.remove(fault)
                        return fault
        return None

    def count(self, pattern):
        """Return how many requests matched."""
        return sum(bool(re.search(pattern, request)) for _, request, _ in self.log)

    def repo(self, name, kind="dataset"):
        return self.store.repos[kind, name]


class CutError(Exception):
    """The connection is cut here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_):
        """Say nothing on the terminal."""

    def _handle(self):
        self.answered, self.left = False, int(self.headers.get("Content-Length") or 0)
        self.url = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(self.url.query).items()}
        self.token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        request = f"{self.command} {unquote(self.url.path)}"
        hub = self.hub
        hub.log.append((self.headers["Host"].partition(":")[0], f"{self.command} {self.path}", self.token))
        if hub.watch:
            hub.watch(request)
        self.fault = hub.fault_of(request)
        try:
            if self.fault and self.fault.status:
                self.read()
                self.answer(self.fault.status, self.fault.body, self.fault.headers)
            else:
                self.route(request)
        except (CutError, ConnectionError, BrokenPipeError):
            self.close_connection = True
            self.connection.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - as http.server asks for them

    def read(self):
        """Return the request's body; a fault may cut it."""
        cut = self.fault and not self.fault.status and not self.fault.lose_answer
        if cut and self.command in ("PUT", "POST"):
            self.rfile.read(min(self.fault.after_bytes, self.left))
            raise CutError
        if self.headers.get("Transfer-Encoding") == "chunked":
            content = b""
            while size := int(self.rfile.readline().strip() or b"0", 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content
        content = self.rfile.read(self.left)
        if len(content) < self.left:
            raise CutError
        self.left = 0
        return content

    def json(self):
        return json.loads(self.read() or b"{}")

    def answer(self, status, body=b"", headers=None):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if self.command in ("PUT", "POST") and self.left:
            self.close_connection = True
        self.send_response(status)
        for name, value in {"Content-Length": len(content), **(headers or {})}.items():
            self.send_header(name, str(value))
        if isinstance(body, dict) and "error" in body:
            self.send_header("X-Error-Message", body["error"])
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.fault and not self.fault.status:
            self.wfile.write(content[: self.fault.after_bytes])
            self.wfile.flush()
            raise CutError
        self.wfile.write(content)

    def refuse(self, status, error, code=""):
        self.answer(status, {"error": error}, {"X-Error-Code": code} if code else {})

    def send(self, content, headers):
        """Answer with a file, or the range of it that is asked for."""
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(found[1]), int(found[2] or len(content) - 1)
            span = {"Content-Range": f"bytes {first}-{min(last, len(content) - 1)}/{len(content)}"}
            return self.answer(206, content[first : last + 1], headers | span)
        return self.answer(200, content, headers)

    def route(self, request):
        """Answer a request that nothing befalls."""
        raise NotImplementedError
