"""Embeds any number of texts, packed into rows; nothing dropped."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh
from tqdm import tqdm

from softnce_jax.dataflow.example import Example, edge_capacity
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.mesh import by_rows, put_global, replicated
from softnce_jax.packing import Capacity, PackedRows, Plan, fill, first_fit, sizes

SHORTEST_ROW = 64
TOKENS_PER_CALL = 8192
TEXTS_PER_PLAN = 2048  # packed together: the time of a plan grows with their square


class Embedder:
    """The compiled forward pass of an encoder over the devices of a mesh.

    Args:
      encoder: makes the vectors.
      mesh: the devices.
      key: of dropout; None for no dropout.
    """

    def __init__(self, encoder: Encoder, mesh: Mesh, *, key: jax.Array | None = None):
        self.encoder = encoder
        self.mesh = mesh
        self._split, whole = by_rows(mesh), replicated(mesh)
        embed = functools.partial(encoder.embed, key=key)
        self._embed = jax.jit(embed, in_shardings=(whole, self._split), out_shardings=whole)

    def __call__(self, params: Any, ragged: Sequence[Sequence[int] | Example]) -> np.ndarray:
        """Vectors (n, D) float32 of n ragged rows of token ids or Examples, in their order."""
        capacity = self._capacity(ragged)
        size_T3 = sizes(ragged, capacity)
        vectors: list[np.ndarray] = [np.zeros(0)] * len(ragged)
        for chosen, plan, rows in self._calls(size_T3, capacity):
            texts = self._rows([ragged[i] for i in chosen], chosen, plan, rows, capacity)
            found_SD = np.concatenate(np.asarray(self._embed(params, texts)))
            for i, slot in zip(chosen, plan.slot_T(capacity.slots), strict=True):
                vectors[i] = found_SD[slot]
        return np.stack(vectors)

    def _capacity(self, ragged: Sequence[Sequence[int] | Example]) -> Capacity:
        """Rows as short as the longest text allows, in few lengths; with data flow always full."""
        encoder = self.encoder
        longest = max(encoder.query_length, encoder.code_length + encoder.flow_length)
        if isinstance(ragged[0], Example):
            return Capacity(longest, edge_capacity(max(len(example.edges) for example in ragged)))
        return Capacity(min(longest, max(SHORTEST_ROW, power_of_two(max(map(len, ragged))))))

    def _calls(
        self, size_T3: np.ndarray, capacity: Capacity
    ) -> Iterator[tuple[np.ndarray, Plan, int]]:
        """The texts of each call, where they go and in how many rows."""
        plan = plan_all(size_T3, capacity)
        devices = self.mesh.size
        most = max(1, TOKENS_PER_CALL // capacity.length // devices) * devices
        for first in range(0, plan.rows, most):
            left = power_of_two(-(-(plan.rows - first) // devices)) * devices
            chosen = np.flatnonzero((first <= plan.row_T) & (plan.row_T < first + most))
            own = Plan(plan.row_T[chosen] - first, plan.start_T3[chosen])
            yield chosen, own, min(most, left)

    def _rows(self, texts, numbers, plan: Plan, rows: int, capacity: Capacity) -> PackedRows:
        """Packed rows on the devices, each a group of as many."""
        pad_id = self.encoder.tokenizer.pad_id
        packed = fill([texts], [plan], [numbers], rows=rows, capacity=capacity, pad_id=pad_id)

        by_device = jax.tree.map(lambda x: x.reshape(self.mesh.size, -1, *x.shape[2:]), packed)
        return put_global(by_device, self._split)


def plan_all(size_T3: np.ndarray, capacity: Capacity) -> Plan:
    """One plan of many texts, packed some thousand at a time."""
    parts, rows = [], 0
    for start in range(0, len(size_T3), TEXTS_PER_PLAN):
        part = first_fit(size_T3[start : start + TEXTS_PER_PLAN], capacity)
        parts.append(part._replace(row_T=part.row_T + rows))
        rows += part.rows
    return Plan(*map(np.concatenate, zip(*parts, strict=True)))


def power_of_two(least: int) -> int:
    """The smallest that is at least so much."""
    return 1 << max(0, least - 1).bit_length()


T = TypeVar("T")
BLOCK = 2048  # rows embedded between two writes
UNFINISHED = "unfinished"  # the folder of the blocks in that of an evaluation


def embedded(
    embedder: Embedder,
    params: Any,
    inputs: Sequence[T],
    to_rows: Callable[[Sequence[T]], Sequence],
    *,
    folder: Path,
    what: str,
) -> Iterator[np.ndarray]:
    """The vectors of texts or functions, (rows, D) a block, under a progress bar.

    Blocks that are in the folder are read, the others made and written; who owns the folder removes
    it once the vectors are where they belong.

    Args:
      embedder: makes vectors of rows.
      params: of its encoder.
      inputs: R texts, functions or rows.
      to_rows: what makes ragged rows of some of them.
      folder: of the blocks; it need not exist.
      what: name of the progress bar.

    Yields:
      Vectors of the next 2,048 inputs, (rows, D) float32.

    Raises:
      OSError: a block cannot be written, on a full disk for instance.
    """
    model = model_hash(embedder.encoder, params)
    silent = jax.process_index() > 0
    with tqdm(total=len(inputs), desc=what, unit="text", disable=silent) as bar:
        for start in range(0, len(inputs), BLOCK):
            rows = to_rows(inputs[start : start + BLOCK])
            path = folder / f"{rows_hash(model, rows)}.npz"
            vectors_RD = read_block(path, len(rows))
            if vectors_RD is None:
                vectors_RD = embedder(params, rows)
                write_block(path, vectors_RD)
            yield vectors_RD
            bar.update(len(rows))


def unfinished_of(out: Path) -> Path | None:
    """Where an evaluation keeps its blocks; nowhere where several processes embed together.

    One that found a block would leave the others waiting for it.
    """
    return out / UNFINISHED if jax.process_count() == 1 else None


def all_vectors(
    embedder: Embedder, params: Any, rows: Sequence, *, folder: Path | None, what: str
) -> np.ndarray:
    """The vectors of ragged rows, (R, D): by blocks kept in the folder, or at once without one."""
    if folder is None:
        return embedder(params, rows)
    blocks = embedded(embedder, params, rows, lambda some: some, folder=folder, what=what)
    return np.concatenate(list(blocks))


def model_hash(encoder: Encoder, params: Any) -> str:
    """SHA-256 of all that makes vectors of rows; 125 million parameters take about a second."""
    tokenizer, module = encoder.tokenizer, encoder.module
    settings = (encoder.pooling, encoder.normalize, str(np.dtype(module.dtype)))
    settings += (tokenizer.pad_id, tokenizer.first_position)
    settings += (encoder.code_length, encoder.flow_length, encoder.config.to_json_string())
    digest = hashlib.sha256(repr(settings).encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        leaf = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {leaf.dtype} {leaf.shape} ".encode())
        digest.update(leaf.view(np.uint8).reshape(-1))
    return digest.hexdigest()


def rows_hash(model: str, rows: Sequence) -> str:
    """SHA-256 of a model and of ragged rows of token ids or Examples.

    Example:
      >>> rows_hash("m", [[1, 2], [3]]) == rows_hash("m", [[1], [2, 3]])
      False
    """
    digest = hashlib.sha256(model.encode())
    for row in rows:
        parts = (row.ids, row.spans, row.edges) if isinstance(row, Example) else (row,)
        for part in parts:
            part = np.asarray(part, np.int32)
            digest.update(f"{part.shape} ".encode())
            digest.update(np.ascontiguousarray(part))
    return digest.hexdigest()


def read_block(path: Path, rows: int) -> np.ndarray | None:
    """The vectors of a block; None where it is not there, or not whole: zip files know."""
    try:
        with np.load(path, allow_pickle=False) as file:
            vectors_RD = file["vectors"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return vectors_RD if len(vectors_RD) == rows else None


def write_block(path: Path, vectors_RD: np.ndarray) -> None:
    """Writes a block aside and gives it its name, so that no half of one is ever found."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Another process that made the same vectors may be done and remove the folder under our hands.
    with (
        contextlib.suppress(FileNotFoundError),
        tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as aside,
    ):
        new = Path(aside, path.name)
        np.savez(new, vectors=vectors_RD)
        os.replace(new, path)
