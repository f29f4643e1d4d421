"""From texts and functions to the ragged token ids that an encoder reads. On the host."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from softnce_jax.encoders.tokenizer import CachedTokenizer, Tokenizer
from softnce_jax.packing import Capacity, Text, distinct_tokens, sizes

if TYPE_CHECKING:
    from jaxtyping import Int

    from softnce_jax.data.corpus import Candidate, Pair
    from softnce_jax.dataflow.cache import GraphCodes
    from softnce_jax.dataflow.example import Example
    from softnce_jax.encoders.encoder import Encoder
    from softnce_jax.encoders.static import BagTokenizer
    from softnce_jax.encoders.static_encoder import StaticEncoder

__all__ = ["Ids", "Processor"]

Ids = Sequence[int] | np.ndarray  # of one text, unpadded


class Processor(NamedTuple):
    """The tokenizer, the maximum lengths, the data flow and the prompts of one encoder.

    Attributes:
      tokenizer: of the encoder; a `CachedTokenizer` where texts are read more than once.
      query_length: maximum tokens of a query, special tokens included.
      code_length: maximum tokens of a function, special tokens included.
      graphs: extracts the data flow of functions; None where the encoder reads text alone.
      query_prompt, code_prompt: what the encoder reads before every query and every function.
      in_bags: whether texts are laid out end to end instead of in rows.
    """

    tokenizer: Tokenizer | BagTokenizer | CachedTokenizer
    query_length: int
    code_length: int
    graphs: GraphCodes | None = None
    query_prompt: str = ""
    code_prompt: str = ""
    in_bags: bool = False

    @classmethod
    def of(cls, encoder: Encoder | StaticEncoder, *, cache_folder: Path | None = None) -> Processor:
        """The processor of an encoder.

        Args:
          encoder: reads what the processor makes.
          cache_folder: for the data flow of functions; None for no cache.
        """
        graphs = None
        if encoder.dataflow != "none":
            from softnce_jax.dataflow.cache import GraphCodes, Settings  # loads tree-sitter

            settings = Settings(encoder.dataflow, encoder.code_length, encoder.flow_length)
            graphs = GraphCodes(encoder.tokenizer, settings, folder=cache_folder)
        prompts = encoder.tokenizer.prompts
        lengths = encoder.query_length, encoder.code_length
        texts = prompts.query, prompts.document
        return cls(encoder.tokenizer, *lengths, graphs, *texts, encoder.in_bags)

    def queries(self, texts: Sequence[str]) -> list[Ids]:
        """Ragged token ids of queries, after their prompt."""
        return self.tokenizer.tokenize(texts, self.query_length, prompt=self.query_prompt)

    def words(self, texts: Sequence[str]) -> list[Ids]:
        """Ragged token ids of queries without their prompt, for what counts words."""
        return self.tokenizer.tokenize(texts, self.query_length, prompt="")

    def codes(self, rows: Sequence[Pair | Candidate]) -> list[Ids] | list[Example]:
        """Ragged token ids of functions, or Examples where the encoder reads data flow."""
        if self.graphs is not None:
            return self.graphs(rows)
        texts = [row.code for row in rows]
        return self.tokenizer.tokenize(texts, self.code_length, prompt=self.code_prompt)

    def sizes(self, texts: Sequence[Text]) -> Int[np.ndarray, "T 3"]:
        """What each text takes of a packed row, or of the bags that a static encoder reads."""
        if not self.in_bags:
            return sizes(texts, self.capacity)
        return np.stack([distinct_tokens(texts), *np.zeros((2, len(texts)), int)], axis=1)

    def caching(self) -> Processor:
        """Adds a cache of token ids: training reads every text once an epoch."""
        return self._replace(tokenizer=CachedTokenizer(self.tokenizer))

    @property
    def capacity(self) -> Capacity:
        """The capacity of a packed row: the longest text fits, with data flow its edges too."""
        if self.graphs is None:
            return Capacity(max(self.query_length, self.code_length))
        return Capacity(max(self.query_length, self.graphs.length), self.graphs.edge_capacity)
