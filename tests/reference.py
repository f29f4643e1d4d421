"""Slow float64 loops that say what the package should compute. Imports nothing of ours."""

from __future__ import annotations

import math

import numpy as np


def infonce(q, c, *, positive=None, where=None, scale=1.0):
    """Each row's InfoNCE; None at rows left out."""
    return soft_infonce(q, c, None, positive=positive, where=where, scale=scale)


def soft_infonce(q, c, w=None, *, positive=None, where=None, scale=1.0):
    """Each row's Soft-InfoNCE; None at rows left out."""
    losses = []
    for i, (own, negatives) in enumerate(rows(len(q), len(c), positive, where)):
        if negatives is None:
            losses.append(None)
            continue
        own_score = scale * dot(q[i], c[own])
        weight = [1.0 if w is None else float(w[i][j]) for j in negatives]
        above = [scale * dot(q[i], c[j]) - own_score for j in negatives]
        terms = [(v, x) for v, x in zip(weight, above, strict=True) if v != 0]
        top = max([math.log(v) + x for v, x in terms if v > 0] + [0.0])
        e = [v * math.exp(x - top) for v, x in terms]
        # log1p, for without a shift the sum may be tiny beside 1.
        losses.append(top + math.log1p(math.expm1(-top) + math.fsum(e)))
    return losses


def mean(losses):
    """The mean of the rows that count."""
    counted = [x for x in losses if x is not None]
    return math.fsum(counted) / len(counted) if counted else 0.0


def negative_weights(
    similarity,
    *,
    alpha,
    beta,
    temperature,
    floor=0.1,
    positive=None,
    where=None,
    renormalize=False,
):
    """Eq. 4 entry by entry, without any check of alpha and beta; 0 at negatives left out."""
    weights = np.zeros(np.shape(similarity))
    for i, (own, negatives) in enumerate(rows(*np.shape(similarity), positive, where)):
        weights[i, own] = 1.0
        if not negatives:
            continue
        x = [float(similarity[i][j]) / temperature for j in negatives]
        e = [math.exp(value - max(x)) for value in x]
        m = len(negatives)
        for j, value in zip(negatives, e, strict=True):
            raw = (beta - alpha * value / math.fsum(e)) / (beta - alpha / m) if m > 1 else 1.0
            weights[i, j] = max(floor, raw)
        if renormalize:
            weights[i, negatives] *= m / math.fsum(weights[i, negatives])
    return weights


def weight_diagnostics(similarity, w, *, temperature, floor):
    """What a batch's weights look like, negative by negative; candidate i is row i's own."""
    found = []
    for i, row in enumerate(w):
        negatives = [j for j in range(len(row)) if j != i]
        e = [math.exp(float(similarity[i][j]) / temperature) for j in negatives]
        p = [x / math.fsum(e) for x in e]
        weights = [float(row[j]) for j in negatives]
        shares = [x / math.fsum(weights) for x in weights]
        found.append(
            {
                "p_mean": math.fsum(p) / len(p),
                "p_max": max(p),
                "weight_entropy": -math.fsum(x * math.log(x) for x in shares if x > 0),
                "weight_floor": sum(x <= floor * (1 + 1e-6) for x in weights) / len(weights),
                "weight_effective": 1 / math.fsum(x * x for x in shares),
                "weight_spread": max(abs(x - 1) for x in weights),
            }
        )
    values = {name: [row[name] for row in found] for name in found[0]}
    return {n: max(v) if n == "weight_spread" else mean(v) for n, v in values.items()}


def bm25(ids, average_length, *, collection=None, k1=1.2, b=0.75):
    """BM25 of every row against every row, token by token; ids up to 3 are no words.

    Document frequencies are the batch's, or with an idf that is never negative, a collection's.
    """
    word_rows = [[int(t) for t in row if t > 3] for row in ids]
    similarity = np.zeros((len(ids), len(ids)))
    for i, query in enumerate(word_rows):
        for j, document in enumerate(word_rows):
            for token in query:
                holders = sum(token in row for row in collection or word_rows)
                others = len(collection or ids) - holders
                idf = math.log((collection is not None) + (others + 0.5) / (holders + 0.5))
                count = document.count(token)
                half = k1 * (1 - b + b * len(document) / average_length)
                if count:
                    similarity[i, j] += idf * (k1 + 1) * count / (half + count)
    return similarity


def rows(number, candidates, positive, where):
    """(own column, columns of the negatives) of each row; negatives is None at rows left out."""
    for i in range(number):
        own = i if positive is None else int(positive[i])
        valid = [True] * candidates
        if where is not None:
            valid = list(where[i]) if np.ndim(where) == 2 else [bool(where[i])] * candidates
        negatives = [j for j in range(candidates) if j != own and valid[j]]
        yield own, negatives if valid[own] else None


def dot(a, b):
    """Σ a b in float64."""
    return math.fsum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def differences(function, array, step=1e-6):
    """Central finite differences of a float64 scalar function of one array."""
    array = np.asarray(array, np.float64)
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        up, down = array.copy(), array.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (function(up) - function(down)) / (2 * step)
    return gradient
