"""Downloads a file over HTTP: resumed where it broke off, checked, whole or not at all.

What is checked: the length that the server gives; the digest that the source publishes beside the
file, if it does (the Hub's listing has SHA-256, Zenodo's MD5); and that a zip or Parquet file ends
as one does. The first download writes the file's SHA-256 to `NAME.sha256` beside it, in the form of
sha256sum; from then on the file must have it. You may put a checksum of your own there beforehand.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import requests
from tqdm import tqdm

from softnce_jax.errors import first_line
from softnce_jax.files import file_digest, open_part, publish, safe_join, write_text

__all__ = ["Remote", "Unavailable", "damage", "fetch", "listing"]

log = logging.getLogger(__name__)

CHUNK = 1 << 13  # bytes written at once; a broken transfer loses no more
SMALL = 1 << 20  # bytes of a file that needs no progress bar
PATIENCE = 30.0  # seconds without a byte after which a transfer counts as stalled
TRIES = 3  # in a row that bring nothing
RETRIED = (408, 429, 500, 502, 503, 504)  # HTTP errors that may pass
LONGEST_PAUSE = 60.0  # seconds


class Unavailable(Exception):
    """A file or listing cannot be downloaded; the message says why."""


class Remote(NamedTuple):
    """A file to download, and what its source says of it.

    Attributes:
      url: of the file.
      name: its path below the folder of downloads.
      size: in bytes, None if not given.
      digest: `sha256:...` or `md5:...`, None if not given.
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
    """Downloads a file unless it is there and whole.

    Args:
      remote: the file.
      folder: of downloads.
      patience: seconds without a byte after which a transfer is broken off and resumed.
      tries: how often in a row a transfer may break off without having brought anything.
      pause: seconds before it is resumed, doubled each time that brought nothing.

    Returns:
      The path of the whole file.

    Raises:
      Unavailable: the server refuses, stalls or sends something else.
      InputError: the file's name leads out of the folder.
    """
    path = safe_join(folder, remote.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        if (reason := damage(path, remote)) is None:
            return path
        log.info(f"{path}: {reason}: fetching it again")
        path.unlink()
    part = path.with_name(f"{path.name}.part")
    _transfer_all(part, remote, patience, tries, pause)
    if (reason := damage(part, remote, path)) is not None:
        part.unlink()
        raise Unavailable(f"{path.name}: {reason}")
    if not _checksum_path(path).exists():
        write_text(_checksum_path(path), f"{file_digest(part)}  {path.name}\n")
    publish(part, path)
    return path


def listing(url: str, *, patience: float = PATIENCE) -> tuple[Any, str | None]:
    """The JSON at a url, and the url of its next page if there is one. Raises Unavailable."""
    try:
        response = requests.get(url, timeout=patience)
        response.raise_for_status()
        return response.json(), response.links.get("next", {}).get("url")
    except requests.RequestException as error:
        raise Unavailable(_reason(error)) from error


def _transfer_all(part: Path, remote: Remote, patience: float, tries: int, pause: float) -> None:
    """Requests a file again and again until the server has no more of it."""
    fruitless = 0  # tries in a row
    while True:
        before = _size(part)
        try:
            _transfer(part, remote, patience)
            return
        except requests.HTTPError as error:
            if error.response.status_code not in RETRIED:
                raise Unavailable(_reason(error)) from error
            last = error
        except requests.RequestException as error:
            last = error
        fruitless = 0 if _size(part) > before else fruitless + 1
        if fruitless >= tries:
            raise Unavailable(f"{_reason(last)} ({tries} times)") from last
        time.sleep(min(LONGEST_PAUSE, pause * 2**fruitless))


def _transfer(part: Path, remote: Remote, patience: float) -> None:
    """One request for the missing bytes. Raises RequestException if it ends too early."""
    present = _size(part)
    headers = {"Accept-Encoding": "identity"}  # lengths and ranges count the file's own bytes
    if present:
        headers["Range"] = f"bytes={present}-"
    with requests.get(remote.url, headers=headers, stream=True, timeout=patience) as response:
        if response.status_code == 416:  # nothing is missing, or the file has become shorter
            if present != remote.size:
                part.unlink(missing_ok=True)
                raise requests.ConnectionError("the part that was there is not of this file")
            return
        response.raise_for_status()
        # A server may ignore the range and send the whole file: then the part begins anew.
        is_resumed = response.status_code == 206 and _range_start(response) == present
        length = response.headers.get("Content-Length")
        start = present if is_resumed else 0
        total = start + int(length) if length else remote.size
        with open_part(part, append=is_resumed) as file, _progress(remote, start, total) as bar:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and _size(part) < total:
        raise requests.ConnectionError(f"ended after {_size(part):,} of {total:,} bytes")


def _progress(remote: Remote, start: int, total: int | None) -> tqdm:
    return tqdm(
        total=total,
        initial=start,
        desc=Path(remote.name).name,
        unit="B",
        unit_scale=True,
        mininterval=0.2 if sys.stderr.isatty() else 20,
        disable=total is not None and total < SMALL,
    )


def _range_start(response: requests.Response) -> int | None:
    """The first byte of a partial response."""
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def damage(file: Path, remote: Remote, path: Path | None = None) -> str | None:
    """What is wrong with a downloaded file, None if nothing is.

    Args:
      file: to check.
      remote: what it should be.
      path: that it will get, if it has another yet.
    """
    path = path or file
    if remote.size is not None and _size(file) != remote.size:
        return f"{_size(file):,} bytes instead of {remote.size:,}"
    if (reason := _malformed(file, path.name)) is not None:
        return reason
    expected = [remote.digest] if remote.digest else []
    if (checksum := _checksum_path(path)).exists():
        expected.append(f"sha256:{checksum.read_text('utf-8').split()[0].lower()}")
    for algorithm, digest in (text.split(":") for text in expected):
        if (actual := file_digest(file, algorithm)) != digest:
            return f"its {algorithm} is {actual}, not {digest}"
    return None


def _malformed(file: Path, name: str) -> str | None:
    """Why a file is not what its name says, as far as its end and its directory show."""
    try:
        if name.endswith(".zip"):
            zipfile.ZipFile(file).close()
        elif name.endswith(".parquet"):
            pq.read_metadata(file)
    except (zipfile.BadZipFile, pa.ArrowException) as error:
        return f"not a whole {name.rsplit('.')[-1]} file ({first_line(error)})"
    return None


def _checksum_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: requests.RequestException) -> str:
    """What went wrong, in one line."""
    if getattr(error, "response", None) is not None:
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the transfer broke off"
    if isinstance(error, requests.exceptions.JSONDecodeError):
        return "not a listing"
    # requests wraps urllib3's errors, which wrap the operating system's.
    inner = error.args[0] if error.args else error
    text = first_line(getattr(inner, "reason", inner))
    return re.sub(r"^.*object at 0x\w+>: ", "", text)[:200]
