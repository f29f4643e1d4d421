"""Data flow in words: tokens named by their text and how often it stood before."""

from __future__ import annotations

from collections import Counter

from softnce_jax.dataflow.extract import Extractor


def flow(language: str, code: str, rules: str = "published") -> set[str]:
    """Each pair of a token and a parent, as `y.1 <- x.2`: the first y comes from the second x."""
    tokens, edges, _ = Extractor(language, rules)(code)
    seen: Counter[str] = Counter()
    names = []
    for token in tokens:
        seen[token] += 1
        names.append(f"{token}.{seen[token]}")
    return {f"{names[at]} <- {names[parent]}" for at, _, parents in edges for parent in parents}
