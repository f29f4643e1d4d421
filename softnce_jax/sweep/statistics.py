"""Tests and intervals that are paired over queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

__all__ = ["bootstrap", "holm", "paired_permutation"]

MAX_NUMBERS = 4_000_000  # drawn and held in memory at a time


def paired_permutation(
    difference_Q: np.ndarray, unit_Q: np.ndarray, *, samples: int = 10_000, seed: int = 0
) -> float:
    """The two-sided p-value of a sum of differences, if each sign is equally likely.

        p = (1 + |{s: |Σ_u ±_su d_u| ≥ |Σ_u d_u|}|) / (1 + samples),  d_u = Σ_{q in u} difference_q

    The queries of a unit get one sign together: those that are not independent, such as one text
    asked in several languages.

    Args:
      difference_Q: ours minus theirs, of each query, with the query's weight in the value compared.
      unit_Q: a label of each query's unit.
      samples: draws of signs.
      seed: of the draws.

    Returns:
      p in (0, 1].

    Example:
      >>> paired_permutation(np.array([0.1, 0.2]), np.array(["a", "b"])) > 0.4
      True

    Source: Fisher's randomisation test (1935).
    """
    sum_U = _sums(difference_Q, unit_Q)
    # Sums that are equal but for the order of adding count as extreme, so that p errs upwards.
    limit = abs(sum_U.sum()) - 1e-12 * np.abs(sum_U).sum()
    random = np.random.default_rng(seed)
    extreme = 0
    for block in _blocks(samples, len(sum_U)):
        sign_SU = random.integers(0, 2, (block, len(sum_U)), np.int8) * 2.0 - 1.0
        extreme += int(np.sum(np.abs(sign_SU @ sum_U) >= limit))
    return (1 + extreme) / (1 + samples)


def holm(p: Sequence[float]) -> list[float]:
    """p-values corrected for their number, so that all stars of a table are valid together.

        p'_(k) = max over i <= k of min(1, (n − i + 1) p_(i)),  p_(1) <= ... <= p_(n)

    Example:
      >>> holm([0.01, 0.04, 0.03])
      [0.03, 0.06, 0.06]

    Source: Holm (1979).
    """
    order = np.argsort(p, kind="stable")
    scaled = np.minimum(1, np.asarray(p, float)[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(scaled)
    return corrected.tolist()


def bootstrap(
    value_Q: np.ndarray, unit_Q: np.ndarray, *, samples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a mean over queries; whole units are drawn with replacement.

    Args:
      value_Q: of each query: a metric, or the difference of two systems.
      unit_Q: a label of each query's unit, such as its text or its family.
      samples: draws.
      seed: of the draws.

    Returns:
      The 2.5th and the 97.5th percentile.

    Example:
      >>> bootstrap(np.array([0.0, 1.0]), np.array(["a", "a"]))
      (0.5, 0.5)

    Source: percentile bootstrap (Efron, 1979), of clusters.
    """
    sum_U, count_U = _sums(value_Q, unit_Q), _sums(np.ones(len(value_Q)), unit_Q)
    random = np.random.default_rng(seed)
    means = []
    for block in _blocks(samples, len(sum_U)):
        drawn_SU = random.integers(0, len(sum_U), (block, len(sum_U)))
        means.append(sum_U[drawn_SU].sum(axis=1) / count_U[drawn_SU].sum(axis=1))
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return float(low), float(high)


def _sums(value_Q: np.ndarray, unit_Q: np.ndarray) -> np.ndarray:
    """The sum of the values of each unit, (U,)."""
    if len(value_Q) != len(unit_Q) or not len(value_Q):
        raise ValueError(
            f"{len(value_Q)} values and {len(unit_Q)} units: give one each, at least 1"
        )
    return np.bincount(np.unique(unit_Q, return_inverse=True)[1], weights=value_Q)


def _blocks(samples: int, units: int) -> Iterator[int]:
    """Samples of each block, so that no array holds more than MAX_NUMBERS numbers."""
    size = max(1, MAX_NUMBERS // units)
    for start in range(0, samples, size):
        yield min(size, samples - start)
