"""What the benchmarks of training read: documented functions of Python's own library."""

from __future__ import annotations

import sysconfig
import tempfile
from collections.abc import Iterable

import numpy as np

from softnce_jax.data.corpus import Pair
from softnce_jax.data.load import read_corpus
from softnce_jax.data.mining.mine import mine
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.pretrained.tiny import train_tokenizer

QUERY_LENGTH, CODE_LENGTH = 128, 256


def library_pairs() -> list[Pair]:
    """All pairs mined from the standard library of this Python."""
    with tempfile.TemporaryDirectory() as folder:
        mine(sysconfig.get_paths()["stdlib"], language="python", out=folder)
        corpus = read_corpus(folder, "python")
    return [*corpus.train, *corpus.valid, *corpus.test]


def tokenizer_of(pairs: Iterable[Pair], vocab_size: int) -> Tokenizer:
    """One trained on the pairs, of as many tokens as they give."""
    texts = (text for pair in pairs for text in (pair.query, pair.code))
    return Tokenizer(train_tokenizer(texts, vocab_size))


def lengths_of(pairs: list[Pair], tokenizer: Tokenizer) -> str:
    """Tokens of the texts, cut and not."""
    parts = []
    for name, length in (("query", QUERY_LENGTH), ("code", CODE_LENGTH)):
        ids = tokenizer.tokenize([getattr(pair, name) for pair in pairs], 100_000)
        whole = np.array([len(text) for text in ids])
        cut = np.minimum(whole, length)
        parts.append(
            f"{name} {cut.mean():.1f} tokens on average, median {np.median(cut):.0f} "
            f"(uncut {whole.mean():.1f}, longest {whole.max()}; "
            f"{100 * (whole > length).mean():.1f} % are cut at {length})"
        )
    return f"{len(pairs)} pairs, {tokenizer.vocab_size} tokens known; " + "; ".join(parts)
