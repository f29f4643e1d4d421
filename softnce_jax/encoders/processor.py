"""The layout that an encoder's rows have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from softnce_jax.dataflow.cache import GraphCodes, Settings
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.train.batches import Layout


def layout_of(
    encoder: Encoder, *, folder: Path | None = None, say: Callable[[str], None] = print
) -> Layout:
    """The encoder's tokenizer and lengths, and where it reads data flow, what finds that.

    Args:
      encoder: what the rows are for.
      folder: of the cache of data flow; None for no cache.
      say: takes a line for each problem with functions or cache.
    """
    graphs = None
    if encoder.dataflow != "none":
        settings = Settings(encoder.dataflow, encoder.code_length, encoder.flow_length)
        graphs = GraphCodes(encoder.tokenizer, settings, folder=folder, say=say)
    return Layout(encoder.tokenizer, encoder.query_length, encoder.code_length, graphs)
