"""A server on this machine that fails in the ways a network does."""

from __future__ import annotations

import http.server
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Server:
    """Files by their path, and what is to go wrong with the next requests for each.

    A fault is ("status", code), ("cut", bytes): the body ends there, ("stall", bytes): nothing
    comes after them, or ("ranges",): the whole file, whatever part was asked for.
    """

    def __init__(self, base: str):
        self.base = base
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[tuple]] = defaultdict(list)
        self.asked: list[tuple[str, str | None]] = []  # path and range of each request


@contextmanager
def serving() -> Iterator[Server]:
    """A server that stops with the block; until then a stalled answer holds."""
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.server = Server(f"http://127.0.0.1:{httpd.server_port}")
    httpd.over = threading.Event()
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield httpd.server
    finally:
        httpd.over.set()
        httpd.shutdown()
        thread.join()
        httpd.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server.server
        path = self.path.partition("?")[0]
        wanted = self.headers.get("Range")
        server.asked.append((path, wanted))
        fault = server.faults[path].pop(0) if server.faults[path] else ("none",)
        body = server.files.get(path)
        if fault[0] == "status" or body is None:
            return self.send_error(fault[1] if fault[0] == "status" else 404)
        start = 0
        if wanted and fault[0] != "ranges":
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        until = start + fault[1] if fault[0] in ("cut", "stall") else len(body)
        self.wfile.write(body[start:until])
        if fault[0] == "stall":
            self.wfile.flush()
            self.server.over.wait(60)
        self.close_connection = True

    def log_message(self, *_):
        pass
