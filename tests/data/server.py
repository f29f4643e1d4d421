"""A server on this machine that fails in the ways a network does, and may stand for the Hub."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from huggingface_hub import constants, utils

from softnce_jax.data import download

COMMIT = "c0ffee" + "0" * 34


class Server:
    """Files by their path, and what is to go wrong with the next requests for each.

    A fault is ("status", code), ("cut", bytes): the body ends there, ("stall", bytes): nothing
    comes after them, or ("ranges",): the whole file, whatever part was asked for. HEAD requests
    meet none.
    """

    def __init__(self, base: str):
        self.base = base
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[tuple]] = defaultdict(list)
        self.asked: list[tuple[str, str | None]] = []  # path and range of each request

    def add_dataset(self, repo: str, revision: str, files: dict[str, bytes]) -> None:
        """Adds a dataset of the Hub: what is told of it, and its files."""
        siblings = [
            {
                "rfilename": path,
                "size": len(content),
                "lfs": {
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "size": len(content),
                    "pointerSize": 130,
                },
            }
            for path, content in files.items()
        ]
        siblings.append({"rfilename": "README.md", "size": 3})
        about = {"id": repo, "sha": COMMIT, "siblings": siblings}
        self.files[info_path(repo, revision)] = json.dumps(about).encode()
        self.files |= {file_path(repo, path): content for path, content in files.items()}


def info_path(repo: str, revision: str) -> str:
    """Where the Hub tells of a dataset."""
    return f"/api/datasets/{repo}/revision/{quote(revision, safe='')}"


def file_path(repo: str, path: str) -> str:
    """Where the Hub has a file of a dataset."""
    return f"/datasets/{repo}/resolve/{COMMIT}/{path}"


@contextmanager
def as_hub(base: str, *, offline: bool = False) -> Iterator[None]:
    """Has huggingface_hub ask a server, if it is not offline, and not wait long for it."""
    # Until release 1 a session keeps the setting with which it was opened.
    end_sessions = getattr(utils, "close_session", None) or utils.reset_sessions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download, "HUB", base)
        patch.setattr(constants, "HF_HUB_OFFLINE", offline)
        patch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
        patch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", download.CHUNK)
        end_sessions()
        yield
    end_sessions()


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
    def do_HEAD(self):
        server = self.server.server
        server.asked.append((self.path, None))
        body = server.files.get(self.path)
        if body is None:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()

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
