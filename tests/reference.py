"""Slow float64 loops that say what the package should compute. Imports nothing of ours."""

from __future__ import annotations

import math

import numpy as np


def infonce(q, c, **options):
    """Each row's InfoNCE; None at rows left out."""
    return soft_infonce(q, c, None, **options)


def soft_infonce(q, c, w=None, *, symmetric=False, **options):
    """Each row's Soft-InfoNCE; None at rows left out."""

    def loss(i, above):
        weight = {j: 1.0 if w is None else float(w[i][j]) for j in above}
        return log1p_sum({j: x for j, x in above.items() if weight[j] != 0}, weight)

    forward = over_rows(loss, q, c, **options)
    if not symmetric:
        return forward
    backward = codes_to_queries(q, c, w, **options)
    return [None if f is None else (f + b) / 2 for f, b in zip(forward, backward, strict=True)]


def codes_to_queries(q, c, w=None, *, positive=None, where=None, scale=1.0, cosine=False):
    """The second direction: each row's positive looks for its query among all queries."""
    if cosine:
        q, c = unit_length(q), unit_length(c)
    table = list(rows(len(q), len(c), positive, where))
    losses = []
    for i, (pos, counted) in enumerate(table):
        others = [j for j, (_, used) in enumerate(table) if used is not None and pos in used]
        above = {j: scale * (dot(q[j], c[pos]) - dot(q[i], c[pos])) for j in others}
        weight = {j: 1.0 if w is None else float(w[j][pos]) for j in others}
        above = {j: x for j, x in above.items() if weight[j] != 0}
        losses.append(None if counted is None else log1p_sum(above, weight))
    return losses


def weighted_infonce(q, c, p, **options):
    """−Σ_j W_ij log x_ij of each row."""

    def loss(i, above):
        total = log1p_sum(above)
        return total + math.fsum(float(p[i][j]) * (total - x) for j, x in above.items())

    return over_rows(loss, q, c, **options)


def bce(q, c, p, **options):
    """The mean over a row's candidates of binary cross entropy of x_ij against W_ij."""

    def loss(i, above):
        if not above:
            return 0.0
        score = {-1: 0.0, **above}  # −1: the positive
        total, terms = log_sum(score.values()), []
        for j, x in score.items():
            target = 1.0 if j == -1 else float(p[i][j])
            rest = log_sum([y for k, y in score.items() if k != j])
            terms.append(target * (total - x) + (1 - target) * (total - rest))
        return math.fsum(terms) / len(terms)

    return over_rows(loss, q, c, **options)


def kl_regularized(q, c, p, *, alpha, beta, **options):
    """β · InfoNCE + α · KL of p from the softmax over the negatives, of each row."""

    def loss(i, above):
        total = log_sum(above.values()) if above else 0.0
        target = {j: float(p[i][j]) for j in above if p[i][j] != 0}
        kl = [v * (math.log(v) - above[j] + total) for j, v in target.items()]
        return beta * log1p_sum(above) + alpha * math.fsum(kl)

    return over_rows(loss, q, c, **options)


def cancel_top_k(q, c, similarity, *, k, **options):
    """InfoNCE without each row's k most similar negatives; of equal ones the first."""

    def loss(i, above):
        order = sorted(above, key=lambda j: (-similarity[i][j], j))
        return log1p_sum({j: above[j] for j in order[k:]})

    return over_rows(loss, q, c, **options)


def cancel_threshold(q, c, similarity, *, ratio, positive=None, **options):
    """InfoNCE with the negatives less similar than `ratio` times the row's positive."""

    def loss(i, above):
        pos = i if positive is None else int(positive[i])
        most = ratio * similarity[i][pos]
        return log1p_sum({j: x for j, x in above.items() if similarity[i][j] < most})

    return over_rows(loss, q, c, positive=positive, **options)


def over_rows(loss, q, c, *, positive=None, where=None, scale=1.0, cosine=False):
    """`loss(i, {negative: its score minus the positive's})` of every row that counts."""
    if cosine:
        q, c = unit_length(q), unit_length(c)
    losses = []
    for i, (pos, negatives) in enumerate(rows(len(q), len(c), positive, where)):
        if negatives is None:
            losses.append(None)
            continue
        positive_score = scale * dot(q[i], c[pos])
        losses.append(loss(i, {j: scale * dot(q[i], c[j]) - positive_score for j in negatives}))
    return losses


def log1p_sum(above, weight=None):
    """log( 1 + Σ w e^x )."""
    weight = dict.fromkeys(above, 1.0) if weight is None else weight
    top = max([math.log(weight[j]) + x for j, x in above.items() if weight[j] > 0] + [0.0])
    e = [weight[j] * math.exp(x - top) for j, x in above.items()]
    # log1p, for without a shift the sum may be tiny beside 1.
    return top + math.log1p(math.expm1(-top) + math.fsum(e))


def log_sum(values):
    """log Σ e^x."""
    top = max(values)
    return top + math.log(math.fsum(math.exp(x - top) for x in values))


def unit_length(vectors):
    """Each vector over its length; zeros stay."""
    lengths = [math.sqrt(dot(v, v)) for v in vectors]
    return [[float(x) / n if n else 0.0 for x in v] for v, n in zip(vectors, lengths, strict=True)]


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
    for i, (pos, negatives) in enumerate(rows(*np.shape(similarity), positive, where)):
        weights[i, pos] = 1.0
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


def negative_distribution(similarity, *, temperature, positive=None, where=None):
    """Each row's softmax over its negatives; 0 elsewhere."""
    p = np.zeros(np.shape(similarity))
    for i, (_, negatives) in enumerate(rows(*np.shape(similarity), positive, where)):
        x = {j: float(similarity[i][j]) / temperature for j in negatives or ()}
        for j in x:
            p[i, j] = math.exp(x[j] - log_sum(x.values()))
    return p


def without_duplicates(queries, codes, positive=None, answers=None):
    """False where a candidate answers the row's query, too: the same query text or code text.

    `answers` are the queries that each candidate is known to answer.
    """
    where = np.ones((len(queries), len(codes)), bool)
    pos = [i if positive is None else int(positive[i]) for i in range(len(queries))]
    for i, j in np.ndindex(where.shape):
        asked = {queries[k] for k in range(len(queries)) if pos[k] == j}
        known = answers is not None and queries[i] in answers[j]
        same = codes[j] == codes[pos[i]] or queries[i] in asked or known
        where[i, j] = j == pos[i] or not same
    return where


def weight_diagnostics(similarity, w, *, temperature, floor):
    """What a batch's weights look like, negative by negative; candidate i is row i's positive."""
    of_rows = []
    for i, row in enumerate(w):
        negatives = [j for j in range(len(row)) if j != i]
        e = [math.exp(float(similarity[i][j]) / temperature) for j in negatives]
        p = [x / math.fsum(e) for x in e]
        weights = [float(row[j]) for j in negatives]
        shares = [x / math.fsum(weights) for x in weights]
        of_rows.append(
            {
                "p_mean": math.fsum(p) / len(p),
                "p_max": max(p),
                "weight_entropy": -math.fsum(x * math.log(x) for x in shares if x > 0),
                "weight_floor": sum(x <= floor * (1 + 1e-6) for x in weights) / len(weights),
                "weight_effective": 1 / math.fsum(x * x for x in shares),
                "weight_spread": max(abs(x - 1) for x in weights),
            }
        )
    values = {name: [row[name] for row in of_rows] for name in of_rows[0]}
    return {n: max(v) if n == "weight_spread" else mean(v) for n, v in values.items()}


def bm25(ids, average_length, *, documents=None, collection=None, k1=1.2, b=0.75):
    """BM25 of every row against every document, token by token; ids up to 3 are no words.

    Document frequencies are the batch's, or with an idf that is never negative, a collection's.
    """
    word_rows = [[int(t) for t in row if t > 3] for row in ids]
    document_rows = [[int(t) for t in row if t > 3] for row in documents or ids]
    idf = {}
    for token in {token for row in word_rows for token in row}:
        holders = sum(token in row for row in collection or word_rows)
        others = len(collection or ids) - holders
        idf[token] = math.log((collection is not None) + (others + 0.5) / (holders + 0.5))
    similarity = np.zeros((len(ids), len(document_rows)))
    for i, query in enumerate(word_rows):
        for j, document in enumerate(document_rows):
            half = k1 * (1 - b + b * len(document) / average_length)
            for token in query:
                if count := document.count(token):
                    similarity[i, j] += idf[token] * (k1 + 1) * count / (half + count)
    return similarity


def rows(number, candidates, positive, where):
    """(column of the positive, columns of the negatives); the latter None at rows left out."""
    for i in range(number):
        pos = i if positive is None else int(positive[i])
        valid = [True] * candidates
        if where is not None:
            valid = list(where[i]) if np.ndim(where) == 2 else [bool(where[i])] * candidates
        negatives = [j for j in range(candidates) if j != pos and valid[j]]
        yield pos, negatives if valid[pos] else None


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
