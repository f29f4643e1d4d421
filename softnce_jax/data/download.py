"""Downloads a file over HTTP or from the Hub: resumed, checked, whole or not at all.

Files of the Hub are listed and transferred by huggingface_hub. It keeps what is unfinished in a
folder beside the file, so that nothing has the file's name before it is checked.

What is checked: the length that the server gives; the digest that the source publishes beside the
file, if it does (the Hub's listing has SHA-256, Zenodo's MD5); and that a zip or Parquet file ends
as one does. The first download writes the file's SHA-256 to `NAME.sha256` beside it, in the form of
sha256sum; from then on the file must have it. You may put a checksum of your own there beforehand.
"""

from __future__ import annotations

import functools
import json
import logging
import re
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import requests
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import LocalEntryNotFoundError
from tqdm import tqdm

from softnce_jax.errors import InputError, first_line
from softnce_jax.files import (
    discard_folder,
    file_digest,
    open_part,
    publish,
    safe_join,
    write_text,
)

__all__ = ["HUB", "Remote", "Unavailable", "damage", "fetch", "hub_files", "listing"]

log = logging.getLogger(__name__)

CHUNK = 1 << 13  # bytes written at once; a broken transfer loses no more
SMALL = 1 << 20  # bytes of a file that needs no progress bar
PATIENCE = 30.0  # seconds without a byte after which a transfer counts as stalled
TRIES = 3  # in a row that bring nothing
RETRIED = (408, 429, 500, 502, 503, 504)  # HTTP errors that may pass
LONGEST_PAUSE = 60.0  # seconds
DIGEST_LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}  # hexadecimal digits
HUB = constants.ENDPOINT  # $HF_ENDPOINT, if it is set
HUB_URL = re.compile("hf://datasets/(?P<repo>[^@]+)@(?P<revision>[^/]+)/(?P<path>.+)")


class Unavailable(Exception):
    """A file or listing cannot be downloaded; the message says why."""


class _Interrupted(Unavailable):
    """A failure that may pass."""


class Remote(NamedTuple):
    """A file to download, and what its source says of it.

    Attributes:
      url: of the file; hf://datasets/REPOSITORY@COMMIT/PATH for one of the Hub.
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
      patience: seconds without a byte after which a transfer is broken off and resumed; for
        files of the Hub, huggingface_hub has a time-out of its own.
      tries: how often in a row a transfer may break off without having brought anything.
      pause: seconds before it is resumed, doubled each time that brought nothing.

    Returns:
      The path of the whole file.

    Raises:
      Unavailable: the server refuses, stalls or sends something else.
      InputError: the file's name leads out of the folder, or its digest is of unknown form.
    """
    path = safe_join(folder, remote.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        if (reason := damage(path, remote)) is None:
            return path
        log.info(f"{path}: {reason}: fetching it again")
        path.unlink()
    if hub := HUB_URL.fullmatch(remote.url):
        part = path.with_name(f"{path.name}.hub")
        attempt = functools.partial(_transfer_from_hub, part, **hub.groupdict())
    else:
        part = path.with_name(f"{path.name}.part")
        attempt = functools.partial(_transfer_by_http, part, remote, patience)
    file = _transfer_all(attempt, part, patience, tries, pause)
    if (reason := damage(file, remote, path)) is not None:
        discard_folder(part)
        raise Unavailable(f"{path.name}: {reason}")
    if not _checksum_path(path).exists():
        write_text(_checksum_path(path), f"{file_digest(file)}  {path.name}\n")
    publish(file, path)
    discard_folder(part)
    return path


def listing(url: str, *, patience: float = PATIENCE) -> Any:
    """The JSON at a url. Raises Unavailable."""
    try:
        response = requests.get(url, timeout=patience)
        response.raise_for_status()
        return response.json()
    except requests.RequestException as error:
        raise _failure(error) from error


def hub_files(repo: str, revision: str, *, patience: float = PATIENCE) -> list[Remote]:
    """The files of a dataset of the Hub, by names that begin with its own.

    Args:
      repo: OWNER/NAME.
      revision: a branch, tag or commit; the urls have the commit, so that the files agree.
      patience: seconds without a byte after which the Hub counts as unreachable.

    Raises:
      Unavailable: the Hub refuses or cannot be reached.
      KeyError, TypeError, AttributeError: its answer has an unknown form.
    """
    # Not list_repo_tree, which waits for ever for a server that has stalled.
    try:
        info = HfApi(endpoint=HUB).dataset_info(
            repo, revision=revision, files_metadata=True, timeout=patience
        )
    except (KeyError, TypeError, AttributeError):
        raise
    except Exception as error:  # the library's, requests', httpx's
        raise _failure(error) from error
    return [
        Remote(
            url=f"hf://datasets/{repo}@{info.sha}/{entry.rfilename}",
            name=f"{repo.replace('/', '--')}/{entry.rfilename}",
            size=entry.size,
            digest=entry.lfs and f"sha256:{entry.lfs.sha256}",
        )
        for entry in info.siblings or ()
    ]


def _transfer_all(
    attempt: Callable[[], Path], part: Path, patience: float, tries: int, pause: float
) -> Path:
    """Repeats an attempt that breaks off, unless `tries` in a row brought nothing."""
    fruitless, since = 0, time.monotonic()
    while True:
        before = _size(part)
        try:
            return attempt()
        except _Interrupted as error:
            last = error
        if _size(part) > before:
            fruitless, since = 0, time.monotonic()
        else:
            fruitless += 1
            # huggingface_hub repeats requests within an attempt: then fewer attempts are enough.
            if fruitless >= tries or time.monotonic() - since > tries * patience:
                raise Unavailable(f"{last} ({fruitless} times)") from last
        time.sleep(min(LONGEST_PAUSE, pause * 2**fruitless))


def _transfer_from_hub(part: Path, repo: str, revision: str, path: str) -> Path:
    """Has huggingface_hub download a file into the folder `part`, or go on with what is there.

    Its own time-outs hold, $HF_HUB_ETAG_TIMEOUT and $HF_HUB_DOWNLOAD_TIMEOUT, each 10 seconds.
    """
    safe_join(part, path)  # the library would follow `..`
    try:
        return Path(
            HfApi(endpoint=HUB).hf_hub_download(
                repo, path, repo_type="dataset", revision=revision, local_dir=part
            )
        )
    except Exception as error:  # the library's, requests', httpx's, Xet's
        if getattr(error, "errno", None):  # the operating system's: a full disk, for instance
            raise
        raise _failure(error) from error


def _transfer_by_http(part: Path, remote: Remote, patience: float) -> Path:
    """One request for the missing bytes of a file."""
    try:
        _request_rest(part, remote, patience)
    except requests.RequestException as error:
        raise _failure(error) from error
    return part


def _request_rest(part: Path, remote: Remote, patience: float) -> None:
    """Appends the missing bytes. Raises RequestException if they end too early."""
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
    for algorithm, digest in _expected_digests(remote, path):
        if (actual := file_digest(file, algorithm)) != digest:
            return f"its {algorithm} is {actual}, not {digest}"
    return None


def _expected_digests(remote: Remote, path: Path) -> list[tuple[str, str]]:
    """What a file's digests should be, as (algorithm, hexadecimal digits).

    Raises:
      InputError: a digest of unknown form, in the listing or beside the file: to skip it would be
        to take any file.
    """
    expected = []
    if remote.digest:
        expected.append((f"the listing of {remote.name}", remote.digest))
    if (checksum := _checksum_path(path)).exists():
        first = checksum.read_bytes()[:200].decode(errors="replace").split()[:1]
        expected.append((f"{checksum}", f"sha256:{''.join(first)}"))
    digests = []
    for source, text in expected:
        algorithm, _, digest = f"{text}".lower().partition(":")
        if (
            not re.fullmatch(f"[0-9a-f]{{{DIGEST_LENGTHS.get(algorithm, 0)}}}", digest)
            or not digest
        ):
            raise InputError(f"{source}: {text[:80]!r} is no digest of a known form, as sha256:...")
        digests.append((algorithm, digest))
    return digests


def _malformed(file: Path, name: str) -> str | None:
    """Why a file is not what its name says, as far as its end and its directory show."""
    try:
        if name.endswith(".zip"):
            zipfile.ZipFile(file).close()
        elif name.endswith(".parquet"):
            pq.read_metadata(file)
    except (zipfile.BadZipFile, pa.ArrowException, ValueError, RuntimeError, struct.error) as error:
        return f"not a whole {name.rsplit('.')[-1]} file ({first_line(error)})"
    return None


def _checksum_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _failure(error: Exception) -> Unavailable:
    """What to raise for a library's error."""
    if isinstance(error, LocalEntryNotFoundError):
        # huggingface_hub has asked for the file's size again and again. The cause says what failed.
        return Unavailable(_reason(error.__cause__ or error))
    status = _status(error)
    return (_Interrupted if status is None or status in RETRIED else Unavailable)(_reason(error))


def _status(error: BaseException) -> int | None:
    """The HTTP status of an error of requests, httpx or huggingface_hub."""
    return getattr(getattr(error, "response", None), "status_code", None)


def _reason(error: BaseException) -> str:
    """What went wrong, in one line."""
    if (status := _status(error)) is not None:
        return f"HTTP {status}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the transfer broke off"
    if isinstance(error, (json.JSONDecodeError, requests.JSONDecodeError)):
        return "not a listing"
    # requests wraps urllib3's errors, which wrap the operating system's.
    inner = error.args[0] if error.args else error
    text = first_line(getattr(inner, "reason", inner))
    return re.sub(r"^.*object at 0x\w+>: ", "", text)[:200]
