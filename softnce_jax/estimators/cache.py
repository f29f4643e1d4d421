"""The features of precomputed estimators on disk: made once, mapped into memory, never a pickle.

An entry is a folder, named by a hash of everything that its matrices depend on. It holds one .npy
file per matrix and manifest.json: the inputs, and each matrix's shape, type and checksum.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from softnce_jax.files import discard_folder, file_digest, whole_file, whole_folder, write_json

__all__ = ["cached"]

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
FORMAT = 1  # raised when the same inputs give other features than before

Matrices = dict[str, np.ndarray]
Blocks = dict[str, Iterable[np.ndarray]]  # name → blocks of rows of a matrix, (rows, F) float32


def cached(folder: Path, inputs: dict[str, Any], make: Callable[[], Blocks]) -> Matrices:
    """The matrices made from `inputs`: read from disk if the entry is whole, else made and stored.

    Any number of processes may ask for an entry at once: each writes a folder of its own and
    renames it.

    Args:
      folder: of the cache.
      inputs: what the matrices depend on, plain values.
      make: returns the blocks of each matrix; they are read one at a time.

    Returns:
      Name → float32 matrix (R, F), mapped into memory and read-only.

    Raises:
      OSError: the entry cannot be written, on a full disk for instance; nothing is left of it.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     blocks = {"a": [np.ones((2, 3), np.float32), np.zeros((1, 3), np.float32)]}
      ...     a = cached(Path(folder), {"texts": "ab12"}, lambda: blocks)["a"]
      ...     a.shape, cached(Path(folder), {"texts": "ab12"}, dict)["a"].tolist()[2]
      ((3, 3), [0.0, 0.0, 0.0])
    """
    inputs = {"format": FORMAT, **inputs}
    key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:32]
    entry = folder / key
    if entry.exists():
        try:
            return _read(entry)
        except Exception as error:  # damage raises many classes
            log.info(f"the features in {entry} are damaged ({error}): making them again")
            discard_folder(entry)
    blocks = make()
    try:
        with whole_folder(entry) as new:
            _write(new, inputs, blocks)
            # Mapped before it is published: another process may discard or replace the entry, and
            # the files that are mapped stay.
            return _read(new)
    except OSError as error:
        raise OSError(f"could not store features in {folder}: {error}") from error


def _read(entry: Path) -> Matrices:
    """The matrices of an entry. Raises OSError, ValueError or KeyError if it is damaged."""
    matrices = {}
    for name, stored in json.loads((entry / MANIFEST).read_text("utf-8"))["matrices"].items():
        path = entry / f"{name}.npy"
        if file_digest(path) != stored["sha256"]:
            raise ValueError(f"the checksum of {path.name} differs")
        matrices[name] = np.load(path, mmap_mode="r", allow_pickle=False)
    return matrices


def _write(entry: Path, inputs: dict[str, Any], blocks: Blocks) -> None:
    """Writes all files of an entry."""
    stored = {}
    for name, rows in blocks.items():
        path = entry / f"{name}.npy"
        shape = _write_matrix(path, rows)
        stored[name] = {"shape": shape, "dtype": "float32", "sha256": file_digest(path)}
    write_json(entry / MANIFEST, {"about": inputs, "matrices": stored})


def _write_matrix(path: Path, blocks: Iterable[np.ndarray]) -> tuple[int, int]:
    """Writes blocks of rows as one .npy file; only one block is in memory.

    By plain writes: with a mapped file, a full disk would kill the process without a message.
    """
    shape = (0, 0)
    with whole_file(path) as file:
        _write_header(file, shape)
        for block_RF in blocks:
            shape = (shape[0] + len(block_RF), block_RF.shape[1])
            file.write(np.ascontiguousarray(block_RF, "<f4"))
        file.seek(0)
        _write_header(file, shape)
    return shape


def _write_header(file: BinaryIO, shape: tuple[int, int]) -> None:
    """The .npy header, which numpy pads so that it has the same length for any shape."""
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
