"""Token ids that stay: training reads every text once an epoch, and tokenizes it once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np


class KeptTokens:
    """Texts to token ids, each text tokenized the first time it is asked for. Threads may share it.

    A text takes 4 bytes a token and 214 more, in each process for itself.

    Args:
      tokenizer: an encoders.tokenize.Tokenizer.

    Example:
      >>> from softnce_jax.encoders.tokenizer import Tokenizer, train_tokenizer
      >>> kept = KeptTokens(Tokenizer(train_tokenizer(["add a", "add a"])))
      >>> kept(["add"], 8)[0] is kept(["a", "add"], 8)[1]
      True
    """

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        self._known: dict[int, dict[bytes, np.ndarray]] = {}

    def __call__(self, texts: Sequence[str], max_length: int) -> list[np.ndarray]:
        """The ids of every text, as `Tokenizer.tokenize` gives them, in int32 arrays.

        They are shared by all callers, so they cannot be written to.
        """
        known = self._known.setdefault(max_length, {})
        # Of a corpus on disk nobody else holds the texts.
        keys = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        tokenized = self._tokenizer.tokenize(list(new.values()), max_length) if new else []
        for key, ids in zip(new, tokenized, strict=True):
            known[key] = np.array(ids, np.int32)
            known[key].flags.writeable = False
        return [known[key] for key in keys]
