"""Fetching one file over HTTP: resumed where it broke off, checked, whole or not at all.

What is checked: the length that the server tells; the digest that the source publishes beside the
file, where it does (the Hub's listing has SHA-256, Zenodo's MD5); and that a zip or Parquet file
ends as one does. The SHA-256 is written to `NAME.sha256` beside the file, in the form of sha256sum,
when it is first fetched, and holds from then on. A checksum of your own is put there beforehand.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import requests
from tqdm import tqdm

from softnce_jax.errors import first_line

log = logging.getLogger(__name__)

CHUNK = 1 << 13  # what is lost of a transfer that breaks off is less
SMALL = 1 << 20  # needs no progress bar
PATIENCE = 30.0  # seconds without a byte after which a transfer counts as stalled
TRIES = 3  # in a row that bring nothing


class Unavailable(Exception):
    """A file or listing cannot be had from here; the message is why."""


class Remote(NamedTuple):
    """A file to fetch, and what its source tells of it.

    Attributes:
      url: where it is.
      name: the path it gets below the folder of downloads.
      size: in bytes, None if not told.
      digest: `sha256:...` or `md5:...`, None if not told.
    """

    url: str
    name: str
    size: int | None = None
    digest: str | None = None


def fetch(
    remote: Remote,
    folder: Path,
    *,
    patience: float = PATIENCE,
    tries: int = TRIES,
    pause: float = 1.0,
) -> Path:
    """The file of a remote below a folder, fetched unless it is there and whole.

    Args:
      remote: what to fetch.
      folder: of downloads.
      patience: seconds without a byte after which the transfer is broken off and resumed.
      tries: how often in a row it may break off without having brought anything.
      pause: seconds before it is resumed, doubled each time that brought nothing.

    Returns:
      The path of the whole file.

    Raises:
      Unavailable: the server refuses, stalls or sends something else.
    """
    path = folder / remote.name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        if (reason := damage(path, remote)) is None:
            return path
        log.info(f"{path}: {reason}: fetching it again")
        path.unlink()
    part = path.with_name(f"{path.name}.part")
    _fill(part, remote, patience, tries, pause)
    if (reason := damage(part, remote, path)) is not None:
        part.unlink()
        raise Unavailable(f"{path.name}: {reason}")
    if not _lock(path).exists():
        _lock(path).write_text(f"{file_digest(part, 'sha256')}  {path.name}\n", "utf-8")
    os.replace(part, path)
    return path


def listing(url: str, *, patience: float = PATIENCE) -> tuple[object, str | None]:
    """The JSON at a url, and the url of its next page if there is one. Raises Unavailable."""
    try:
        response = requests.get(url, timeout=patience)
        response.raise_for_status()
        return response.json(), response.links.get("next", {}).get("url")
    except requests.RequestException as error:
        raise Unavailable(_reason(error)) from error


def _fill(part: Path, remote: Remote, patience: float, tries: int, pause: float) -> None:
    """Appends to a file until the server has no more."""
    vain = 0
    while True:
        before = _size(part)
        try:
            _transfer(part, remote, patience)
            return
        except requests.HTTPError as error:
            if error.response.status_code not in (408, 429, 500, 502, 503, 504):
                raise Unavailable(_reason(error)) from error
            last = error
        except requests.RequestException as error:
            last = error
        vain = 0 if _size(part) > before else vain + 1
        if vain >= tries:
            raise Unavailable(f"{_reason(last)} ({tries} times)") from last
        time.sleep(min(60.0, pause * 2**vain))


def _transfer(part: Path, remote: Remote, patience: float) -> None:
    """One request for what is missing. Raises RequestException where it ends too early."""
    have = _size(part)
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with requests.get(remote.url, headers=headers, stream=True, timeout=patience) as response:
        if response.status_code == 416:  # nothing is missing, or the file became shorter
            if have != remote.size:
                part.unlink()
            if not part.exists():
                raise requests.ConnectionError("the part that was there is not of this file")
            return
        response.raise_for_status()
        resumed = response.status_code == 206 and _begins(response) == have
        length = response.headers.get("Content-Length")
        start = have if resumed else 0
        total = start + int(length) if length else remote.size
        with part.open("ab" if resumed else "wb") as file, _bar(remote, start, total) as bar:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and _size(part) < total:
        raise requests.ConnectionError(f"ended after {_size(part):,} of {total:,} bytes")


def _bar(remote: Remote, start: int, total: int | None) -> tqdm:
    settings = {
        "unit": "B",
        "unit_scale": True,
        "mininterval": 0.2 if sys.stderr.isatty() else 20,
        "disable": total is not None and total < SMALL,
    }
    return tqdm(total=total, initial=start, desc=Path(remote.name).name, **settings)


def _begins(response: requests.Response) -> int | None:
    """The first byte that a partial answer holds."""
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def damage(file: Path, remote: Remote, name: Path | None = None) -> str | None:
    """What is wrong with a file, None for nothing; `name` is what it will be called."""
    name = name or file
    if remote.size is not None and _size(file) != remote.size:
        return f"{_size(file):,} bytes instead of {remote.size:,}"
    if (reason := malformed(file, name.name)) is not None:
        return reason
    told = [remote.digest] if remote.digest else []
    if _lock(name).exists():
        told.append(f"sha256:{_lock(name).read_text('utf-8').split()[0].lower()}")
    for algorithm, expected in (digest.split(":") for digest in told):
        if (found := file_digest(file, algorithm)) != expected:
            return f"its {algorithm} is {found}, not {expected}"
    return None


def malformed(file: Path, name: str) -> str | None:
    """Why a file is not what its name says, as far as its end and its directory tell."""
    try:
        if name.endswith(".zip"):
            zipfile.ZipFile(file).close()
        elif name.endswith(".parquet"):
            pq.read_metadata(file)
    except (zipfile.BadZipFile, pa.ArrowException) as error:
        return f"not a whole {name.rsplit('.')[-1]} file ({first_line(error)})"
    return None


def file_digest(path: Path, algorithm: str) -> str:
    """A digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _lock(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: requests.RequestException) -> str:
    """One line of what went wrong."""
    if getattr(error, "response", None) is not None:
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the transfer broke off"
    if isinstance(error, requests.exceptions.JSONDecodeError):
        return "not a listing"
    inner = error.args[0] if error.args else error
    told = first_line(getattr(inner, "reason", inner))
    return re.sub(r"^.*object at 0x\w+>: ", "", told)[:200]
