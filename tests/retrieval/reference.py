"""Slow float64 loops for ranks and metrics; nothing of softnce_jax is imported here."""

from __future__ import annotations

import math


def bounds(score, true, tolerance=0.0, where=None):
    """Best and worst rank of candidate `true` in one row of scores, by counting."""
    best = worst = 1
    for j, s in enumerate(score):
        if j == true or (where is not None and not where[j]):
            continue
        difference = float(s) - float(score[true])
        if math.isnan(difference) or difference > tolerance:
            best, worst = best + 1, worst + 1
        elif difference >= -tolerance:
            worst += 1
    return best, worst


def vector_bounds(q, c, relevant, tie):
    """Bounds of all graded candidates by exactly rounded dot products (math.fsum)."""
    best, worst = [], []
    for q_D, relevant_G in zip(q.tolist(), relevant.tolist(), strict=True):
        score = [math.fsum(a * b for a, b in zip(q_D, c_D, strict=True)) for c_D in c.tolist()]
        row = []
        for m in relevant_G:
            size = math.hypot(*q_D) * math.hypot(*c[m].tolist())
            row.append(bounds(score, m, tie * size) if m >= 0 else (0, 0))
        best.append([low for low, _ in row])
        worst.append([high for _, high in row])
    return best, worst


def ndcg(ranks, grades, k=10):
    """nDCG of one query: linear gain, discount log2(rank + 1)."""
    gain = sum(g / math.log2(r + 1) for r, g in zip(ranks, grades, strict=True) if 0 < r <= k)
    ideal = sorted(grades, reverse=True)[:k]
    best = sum(g / math.log2(i + 2) for i, g in enumerate(ideal))
    return gain / best if best else 0.0


def negative_ndcg(score, true, related, k=10):
    """nDCG of one query's negatives: the true code's score is removed, then every rank counted.

    `related` maps candidates to grades; a rank is the mean of the best and the worst of a tie.
    """
    others = [j for j in range(len(score)) if j != true]
    ranks, grades = [], []
    for j, grade in related.items():
        above = sum(score[i] > score[j] for i in others if i != j)
        equal = sum(score[i] == score[j] for i in others if i != j)
        ranks.append(1 + above + equal / 2)
        grades.append(grade)
    return ndcg(ranks, grades, k)


def bm25(query, documents, k1=1.2, b=0.75):
    """Lucene's BM25 of lists of words, one document after the other."""
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word in query:
            holding = sum(word in other for other in documents)
            idf = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
            count = document.count(word)
            score += idf * count / (count + k1 * (1 - b + b * len(document) / mean))
        scores.append(score)
    return scores


def alignment(x, y, alpha=2.0):
    """Mean distance of x_i and y_i, to the power alpha."""
    distances = [math.dist(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    return math.fsum(d**alpha for d in distances) / len(distances)


def uniformity(x, t=2.0, *, itself=False):
    """Log of the mean of e^(−t d²) over ordered pairs of different rows."""
    rows = x.tolist()
    potential = [
        math.exp(-t * math.dist(a, b) ** 2)
        for i, a in enumerate(rows)
        for j, b in enumerate(rows)
        if itself or i != j
    ]
    return math.log(math.fsum(potential) / len(potential))
