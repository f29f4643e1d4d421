"""Token ids that stay: training reads every text once an epoch, and tokenizes it once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class KeptTokens:
    """Texts to token ids, each text tokenized the first time it is asked for. Threads may share it.

    A text takes 4 bytes a token and about 300 more: 250 MB for 270,000 functions and questions.

    Args:
      tokenizer: an encoders.tokenize.Tokenizer.

    Example:
      >>> from softnce_jax.encoders.tokenize import Tokenizer, train_tokenizer
      >>> kept = KeptTokens(Tokenizer(train_tokenizer(["add a", "add a"])))
      >>> kept(["add"], 8)[0] is kept(["a", "add"], 8)[1]
      True
    """

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        self._known: dict[int, dict[str, np.ndarray]] = {}

    def __call__(self, texts: Sequence[str], max_length: int) -> list[np.ndarray]:
        """The ids of every text, as `Tokenizer.tokenize` gives them, in int32 arrays.

        They are shared by all callers, so they cannot be written to.
        """
        known = self._known.setdefault(max_length, {})
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            for text, ids in zip(new, self._tokenizer.tokenize(new, max_length), strict=True):
                known[text] = np.array(ids, np.int32)
                known[text].flags.writeable = False
        return [known[text] for text in texts]
