"""A small static model with random directions for the words of texts."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from softnce_jax.encoders.static import StaticTextEncoder
from softnce_jax.pretrained.static_starts import static_from_texts


def small_static(texts: Sequence[str], *, weighted: bool = True, **options) -> StaticTextEncoder:
    """A model of 16 dimensions; `options` are those of StaticTextEncoder."""
    encoder, params = static_from_texts(texts, key=jax.random.key(0), dimensions=16)
    table = encoder.bind(params).table
    if not weighted:
        table = table._replace(weights=np.ones_like(table.weights))
    return StaticTextEncoder(encoder.tokenizer, table, **options)
