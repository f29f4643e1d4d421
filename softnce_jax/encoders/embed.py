"""Embedding any number of texts without dropout, packed into rows, and in blocks that stay on disk.

An evaluation that is interrupted finds its finished blocks when it is started again. A block's file
is named by a hash of the model and of the block's rows, so it is never taken for another one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
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
from softnce_jax.encoders.static_encoder import StaticEncoder
from softnce_jax.errors import check_texts
from softnce_jax.files import whole_file
from softnce_jax.mesh import by_rows, put_global, replicated
from softnce_jax.packing import Capacity, PackedRows, Plan, Text, fill, first_fit, sizes

__all__ = ["UNFINISHED", "Embedder", "embed_all", "embed_blocks", "unfinished_folder"]

MIN_ROW_LENGTH = 64
TOKENS_PER_CALL = 8192
TOKENS_ON_CPU = 2048  # in a third of the memory, and in fewer seconds: caches hold more of it
TEXTS_PER_PLAN = 2048  # packed together: the time of a plan grows with their square
BLOCK_ROWS = 2048  # inputs embedded between two writes
UNFINISHED = "unfinished"  # the folder of the blocks inside that of an evaluation

T = TypeVar("T")


class Embedder:
    """The compiled forward pass of an encoder over the devices of a mesh.

    A static encoder's vectors are made on the host.

    Args:
      encoder: makes the vectors.
      mesh: the devices.
      key: of dropout; None for no dropout.
    """

    def __init__(
        self, encoder: Encoder | StaticEncoder, mesh: Mesh, *, key: jax.Array | None = None
    ):
        self.encoder = encoder
        self.mesh = mesh
        self._by_rows, whole = by_rows(mesh), replicated(mesh)
        embed = functools.partial(encoder.embed, key=key)
        self._embed = jax.jit(embed, in_shardings=(whole, self._by_rows), out_shardings=whole)

    def __call__(self, params: Any, texts: Sequence[Text]) -> np.ndarray:
        """The vectors (n, D), float32, of n ragged rows of token ids or Examples, in their order.

        Args:
          params: of the encoder.
          texts: at least one.
        """
        check_texts(texts, "texts")
        if isinstance(self.encoder, StaticEncoder):
            return self.encoder.embed_on_host(params, texts)
        capacity = self._capacity(texts)
        vectors: list[np.ndarray] = [np.zeros(0)] * len(texts)
        for chosen_T, plan, rows in self._calls(sizes(texts, capacity), capacity):
            packed = self._pack([texts[i] for i in chosen_T], chosen_T, plan, rows, capacity)
            vector_SD = np.concatenate(np.asarray(self._embed(params, packed)))
            for i, slot in zip(chosen_T, plan.slot_T(capacity.slots), strict=True):
                vectors[i] = vector_SD[slot]
        return np.stack(vectors)

    def _capacity(self, texts: Sequence[Text]) -> Capacity:
        """Rows as short as the longest text allows, in few lengths; full ones with data flow."""
        encoder = self.encoder
        longest = max(encoder.query_length, encoder.code_length + encoder.flow_length)
        if isinstance(texts[0], Example):
            return Capacity(longest, edge_capacity(max(len(example.edges) for example in texts)))
        return Capacity(min(longest, max(MIN_ROW_LENGTH, _power_of_two(max(map(len, texts))))))

    def _calls(
        self, size_T3: np.ndarray, capacity: Capacity
    ) -> Iterator[tuple[np.ndarray, Plan, int]]:
        """Splits a plan into calls: the texts of each, their plan and the number of its rows."""
        plan = _plan_in_parts(size_T3, capacity)
        devices, platform = self.mesh.size, self.mesh.devices.flat[0].platform
        tokens = TOKENS_ON_CPU if platform == "cpu" else TOKENS_PER_CALL
        most = max(1, tokens // capacity.length // devices) * devices
        for first in range(0, plan.rows, most):
            # The last call has fewer rows: a power of two a device, to compile few shapes.
            rows = min(most, _power_of_two(-(-(plan.rows - first) // devices)) * devices)
            chosen_T = np.flatnonzero((first <= plan.row_T) & (plan.row_T < first + most))
            yield chosen_T, Plan(plan.row_T[chosen_T] - first, plan.start_T3[chosen_T]), rows

    def _pack(
        self,
        texts: Sequence[Text],
        number_T: np.ndarray,
        plan: Plan,
        rows: int,
        capacity: Capacity,
    ) -> PackedRows:
        """Packed rows on the devices, one group a device."""
        pad_id = self.encoder.tokenizer.pad_id
        packed = fill([texts], [plan], [number_T], rows=rows, capacity=capacity, pad_id=pad_id)
        by_device = jax.tree.map(lambda x: x.reshape(self.mesh.size, -1, *x.shape[2:]), packed)
        return put_global(by_device, self._by_rows)


def embed_all(
    embedder: Embedder, params: Any, rows: Sequence[Text], *, folder: Path | None, title: str
) -> np.ndarray:
    """The vectors of ragged rows, (R, D), by `embed_blocks`; without a folder all at once."""
    if folder is None:
        return embedder(params, rows)
    blocks = embed_blocks(embedder, params, rows, lambda some: some, folder=folder, title=title)
    return np.concatenate(list(blocks))


def embed_blocks(
    embedder: Embedder,
    params: Any,
    inputs: Sequence[T],
    to_rows: Callable[[Sequence[T]], Sequence[Text]],
    *,
    folder: Path,
    title: str,
) -> Iterator[np.ndarray]:
    """Embeds texts or functions block by block under a progress bar.

    Blocks that are in the folder are read, the others are made and written. Whoever owns the folder
    removes it once the vectors are saved elsewhere.

    Args:
      embedder: makes vectors of rows.
      params: of its encoder.
      inputs: R texts, functions or rows.
      to_rows: makes ragged rows of some of them.
      folder: of the blocks; it need not exist.
      title: of the progress bar.

    Yields:
      The vectors of the next 2,048 inputs, (rows, D) float32.

    Raises:
      OSError: a block cannot be written, for instance to a full disk.
    """
    model = model_hash(embedder.encoder, params)
    silent = jax.process_index() > 0
    with tqdm(total=len(inputs), desc=title, unit="text", disable=silent) as bar:
        for start in range(0, len(inputs), BLOCK_ROWS):
            rows = to_rows(inputs[start : start + BLOCK_ROWS])
            path = folder / f"{rows_hash(model, rows)}.npz"
            vector_RD = _read_block(path, len(rows))
            if vector_RD is None:
                vector_RD = embedder(params, rows)
                _write_block(path, vector_RD)
            yield vector_RD
            bar.update(len(rows))


def unfinished_folder(out: Path) -> Path | None:
    """The folder of an evaluation's blocks; None where several processes embed together.

    All of them must call the model equally often: one that found a block that the others lack
    would leave them waiting.
    """
    return out / UNFINISHED if jax.process_count() == 1 else None


def model_hash(encoder: Encoder | StaticEncoder, params: Any) -> str:
    """SHA-256 of everything that decides the vectors of rows.

    It takes about a second for 125 million parameters.
    """
    digest = hashlib.sha256(repr(encoder.identity).encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        leaf = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {leaf.dtype} {leaf.shape} ".encode())
        digest.update(leaf.view(np.uint8).reshape(-1))
    return digest.hexdigest()


def rows_hash(model: str, rows: Sequence[Text]) -> str:
    """SHA-256 of a model's hash and of ragged rows of token ids or Examples.

    Example:
      >>> rows_hash("m", [[1, 2], [3]]) == rows_hash("m", [[1], [2, 3]])
      False
    """
    digest = hashlib.sha256(model.encode())
    for row in rows:
        arrays = (row.ids, row.spans, row.edges) if isinstance(row, Example) else (row,)
        for array in arrays:
            array = np.asarray(array, np.int32)
            digest.update(f"{array.shape} ".encode())
            digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _read_block(path: Path, rows: int) -> np.ndarray | None:
    """The vectors of a block; None if it is absent or damaged, which the zip format detects."""
    try:
        with np.load(path, allow_pickle=False) as file:
            vector_RD = file["vectors"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return vector_RD if len(vector_RD) == rows else None


def _write_block(path: Path, vector_RD: np.ndarray) -> None:
    # Another process that made the same vectors may be done and remove the folder meanwhile.
    with contextlib.suppress(FileNotFoundError), whole_file(path) as file:
        np.savez(file, vectors=vector_RD)


def _plan_in_parts(size_T3: np.ndarray, capacity: Capacity) -> Plan:
    """One plan of many texts, packed TEXTS_PER_PLAN at a time."""
    plans, rows = [], 0
    for start in range(0, len(size_T3), TEXTS_PER_PLAN):
        plan = first_fit(size_T3[start : start + TEXTS_PER_PLAN], capacity)
        plans.append(plan._replace(row_T=plan.row_T + rows))
        rows += plan.rows
    return Plan(*map(np.concatenate, zip(*plans, strict=True)))


def _power_of_two(n: int) -> int:
    """Smallest power of two >= n."""
    return 1 << max(0, n - 1).bit_length()
