"""What a loss refuses before any work."""

from __future__ import annotations

import jax.numpy as jnp


def check_embeddings(q, c) -> None:
    """Raises unless q is (B, D) and c (N, D)."""
    if q.ndim != 2 or c.ndim != 2:
        raise ValueError(f"q and c are matrices, (B, D) and (N, D); got {q.shape} and {c.shape}")
    if q.shape[1] != c.shape[1]:
        raise ValueError(f"q has {q.shape[1]} dimensions, c has {c.shape[1]}; give both the same")


def check_own_columns(rows: int, columns: int) -> None:
    """Raises unless every row has a column of its own to be its positive by default."""
    if columns < rows:
        raise ValueError(
            f"{rows} rows but {columns} candidates: row i's own candidate is column i unless "
            "`positive` names another"
        )


def check_pairs(shape: tuple[int, int], *, positive=None, where=None, **targets) -> None:
    """Raises unless the arrays beside a (B, N) score matrix fit it and it has a negative."""
    rows, columns = shape
    if columns < 2:
        raise ValueError(f"{rows} rows and {columns} candidate: no negatives; give 2 candidates")
    if positive is not None and positive.shape != (rows,):
        raise ValueError(f"positive has shape {positive.shape}; give one column a row, ({rows},)")
    if positive is not None and not jnp.issubdtype(positive.dtype, jnp.integer):
        raise TypeError(f"positive holds {positive.dtype}; give integer columns")
    if where is not None and where.shape not in ((rows,), shape):
        raise ValueError(f"where has shape {where.shape}; give ({rows},) or {shape}")
    if where is not None and where.dtype != bool:
        raise TypeError(f"where holds {where.dtype}; give booleans, for instance mask > 0")
    for name, target in targets.items():
        if target is not None and target.shape != shape:
            raise ValueError(f"{name} has shape {target.shape}; give rows by candidates, {shape}")
