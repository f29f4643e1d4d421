"""The features of frozen estimators on disk: made once, mapped into memory, never a pickle.

An entry is a folder, named by a hash of everything that its matrices depend on. It holds one .npy
file a matrix and manifest.json: what it was made from, shapes, types and checksums.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
FORMAT = 1  # raised when the same inputs come to give other features

Matrices = dict[str, np.ndarray]


def cached(
    folder: Path,
    about: dict[str, Any],
    make: Callable[[], dict[str, Iterable[np.ndarray]]],
) -> Matrices:
    """The matrices made from `about`, from disk where they are whole, else made and stored now.

    Any number of processes may ask for an entry at once: each writes a folder of its own and
    renames it.

    Args:
      folder: of the cache.
      about: what the matrices depend on, plain values.
      make: name -> the blocks of rows of a matrix, (rows, F) float32; read one block at a time.

    Returns:
      Name -> float32 matrix (R, F), mapped into memory and read-only.

    Raises:
      OSError: the entry cannot be written, on a full disk for instance; nothing is left of it.

    Example:
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     blocks = {"a": [np.ones((2, 3), np.float32), np.zeros((1, 3), np.float32)]}
      ...     a = cached(Path(folder), {"texts": "ab12"}, lambda: blocks, print)["a"]
      ...     a.shape, cached(Path(folder), {"texts": "ab12"}, dict, print)["a"].tolist()[2]
      ((3, 3), [0.0, 0.0, 0.0])
    """
    about = {"format": FORMAT, **about}
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]
    entry = folder / key
    if entry.exists():
        try:
            return read(entry)
        except Exception as error:  # damage raises many classes
            log.info(f"the features in {entry} are damaged ({error}): making them again")
            discard(entry)
    blocks = make()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=folder))
        try:
            write(new, about, blocks)
            matrices = read(new)
            publish(entry, new)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        raise OSError(f"could not store features in {folder}: {error}") from error
    return matrices


def read(entry: Path) -> Matrices:
    """The matrices of an entry. Raises OSError, ValueError or KeyError where it is damaged."""
    matrices = {}
    for name, stored in json.loads((entry / MANIFEST).read_text("utf-8"))["matrices"].items():
        path = entry / f"{name}.npy"
        if checksum(path) != stored["sha256"]:
            raise ValueError(f"the checksum of {path.name} differs")
        matrices[name] = np.load(path, mmap_mode="r", allow_pickle=False)
    return matrices


def write(entry: Path, about: dict[str, Any], blocks: dict[str, Iterable[np.ndarray]]) -> None:
    """All files of an entry."""
    stored = {}
    for name, rows in blocks.items():
        path = entry / f"{name}.npy"
        shape = write_matrix(path, rows)
        stored[name] = {"shape": shape, "dtype": "float32", "sha256": checksum(path)}
    manifest = json.dumps({"about": about, "matrices": stored}, indent=2)
    (entry / MANIFEST).write_text(manifest + "\n", "utf-8")


def write_matrix(path: Path, blocks: Iterable[np.ndarray]) -> tuple[int, int]:
    """Writes blocks of rows as one .npy file; only one block is in memory.

    By plain writes: a mapped file on a full disk would end the process without a word.
    """
    shape = (0, 0)
    with path.open("wb") as file:
        write_header(file, shape)
        for block_RF in blocks:
            shape = (shape[0] + len(block_RF), block_RF.shape[1])
            file.write(np.ascontiguousarray(block_RF, "<f4"))
        file.seek(0)
        write_header(file, shape)
    return shape


def write_header(file: BinaryIO, shape: tuple[int, int]) -> None:
    """The .npy header, which numpy pads so that any shape takes the same room."""
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def discard(entry: Path) -> None:
    """Takes an entry out of the cache; a process that has it mapped keeps it."""
    another_was_first = contextlib.suppress(FileNotFoundError)
    with tempfile.TemporaryDirectory(prefix=".", dir=entry.parent) as trash, another_was_first:
        os.rename(entry, f"{trash}/{entry.name}")


def publish(entry: Path, new: Path) -> None:
    """Gives a whole entry its name, unless another process was first; its entry is as good."""
    try:
        os.rename(new, entry)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
