"""The static encoder in jax: a table of token vectors and their weighted mean, for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np

from softnce_jax._scores import unit_length
from softnce_jax.encoders.prompts import LONGEST_TEXT
from softnce_jax.encoders.static import (
    BagTokenizer,
    StaticTextEncoder,
    Table,
    mean_vectors,
)
from softnce_jax.errors import InputError
from softnce_jax.packing import Bags

if TYPE_CHECKING:
    from jaxtyping import Array, Float

__all__ = ["StaticEncoder"]


@dataclass(frozen=True, eq=False)
class StaticEncoder:
    """Turns bags of tokens into vectors. As `Encoder` it holds no parameters.

    Parameters are a dictionary of `embeddings` (V, D) and `weights` (V,), float32, under the names
    that they have in a model2vec folder. There is no network: order and neighbours of tokens do not
    matter, and there is no dropout.

    Attributes:
      tokenizer: makes the ids.
      dimensions: D, the numbers of a vector.
      normalize: whether vectors are scaled to unit length, at last.
      similarity: of two vectors, as the model's folder says; see `for_ranking`.
      query_length, code_length, dataflow, flow_length: as of an Encoder; a static one reads whole
        texts, and text alone.

    Raises:
      InputError: a length other than that of whole texts, or data flow.

    Example:
      >>> from softnce_jax.packing import bags
      >>> from softnce_jax.pretrained.static_starts import static_from_texts
      >>> encoder, params = static_from_texts(["add two numbers"] * 2, key=jax.random.key(0))
      >>> ragged = encoder.tokenizer.tokenize(["add", "two numbers"])
      >>> jax.jit(encoder.embed)(params, bags([ragged], tokens=8)).shape
      (1, 2, 512)
    """

    tokenizer: BagTokenizer
    dimensions: int = 512
    normalize: bool = True
    similarity: Literal["dot", "cosine"] = "cosine"
    query_length: int = LONGEST_TEXT
    code_length: int = LONGEST_TEXT
    dataflow: Literal["none"] = "none"
    flow_length: int = 0

    in_bags: ClassVar[bool] = True
    pooling: ClassVar[str] = "mean"
    max_length: ClassVar[int] = LONGEST_TEXT
    dropouts: ClassVar[tuple[float, float]] = (0.0, 0.0)

    def __post_init__(self):
        for name in ("query_length", "code_length"):
            if (length := getattr(self, name)) != LONGEST_TEXT:
                raise InputError(f"{name} {length}: a static encoder reads whole texts")
        if self.dataflow != "none" or self.flow_length:
            raise InputError(f"dataflow {self.dataflow}: a static encoder reads text alone")

    @property
    def identity(self) -> tuple:
        """What decides the vectors of token ids, beside the parameters."""
        return ("static", self.normalize)

    def for_ranking(self) -> StaticEncoder:
        """The encoder whose dot products rank as the model's similarity does."""
        return replace(self, normalize=True) if self.similarity == "cosine" else self

    def unnormalized(self) -> StaticEncoder:
        """The encoder without scaling to unit length, to be ranked by dot products."""
        return replace(self, normalize=False)

    def parameter_count(self, params: dict[str, Any]) -> int:
        """The number of parameters."""
        return sum(leaf.size for leaf in jax.tree.leaves(params))

    def embed(
        self, params: dict[str, Any], bags: Bags, *, key: jax.Array | None = None
    ) -> Float[Array, "G T D"]:
        """The vectors of bags.

        Args:
          params: `embeddings` and `weights`.
          bags: of G groups of T texts.
          key: of dropout, which there is none of.

        Returns:
          Float32 vectors; that of an empty bag is zero.
        """
        # Before the rows are drawn, so that the gradient of the weights is a sum over the table and
        # not one more scatter.
        row_VD = params["embeddings"] * params["weights"][:, None]

        def of_group(ids_P, count_P, text_P, size_T):
            token_PD = row_VD.at[ids_P].get(mode="promise_in_bounds") * count_P[:, None]
            # One row more than there are texts takes the padding.
            sum_TD = jnp.zeros((len(size_T) + 1, row_VD.shape[1]), jnp.float32)
            sum_TD = sum_TD.at[text_P].add(
                token_PD, indices_are_sorted=True, mode="promise_in_bounds"
            )
            return sum_TD[:-1] / jnp.maximum(size_T, 1)[:, None]

        vector_GTD = jax.vmap(of_group)(*map(jnp.asarray, bags))
        if not self.normalize:
            return vector_GTD
        return unit_length(vector_GTD.reshape(-1, self.dimensions)).reshape(vector_GTD.shape)

    def bind(self, params: dict[str, Any]) -> StaticTextEncoder:
        """The encoder with its parameters, on the host: texts in, vectors out."""
        table = Table(*(np.asarray(params[name]) for name in Table._fields))
        options = {"normalize": self.normalize, "similarity": self.similarity}
        return StaticTextEncoder(self.tokenizer, table, **options)

    def embed_on_host(
        self, params: dict[str, Any], ragged: Sequence[Sequence[int]]
    ) -> Float[np.ndarray, "T D"]:
        """The vectors of T texts by numpy, which needs no compilation for each shape of bags."""
        return mean_vectors(params, ragged, normalize=self.normalize)
