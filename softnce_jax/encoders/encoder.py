"""The encoder: one module, one tokenizer and one way to pool, bound together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
from transformers import PretrainedConfig

from softnce_jax._scores import unit_length
from softnce_jax.encoders.dropout import Dropout
from softnce_jax.encoders.graph import graph_mask, node_words, same_text
from softnce_jax.encoders.pooling import pool_slots
from softnce_jax.encoders.roberta import AnyMaskRobertaModule
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.errors import InputError
from softnce_jax.packing import NOWHERE, PackedRows, slots_of

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Int

POOLINGS = ("mean", "pooler", "cls")


@dataclass(frozen=True, eq=False)
class Encoder:
    """Token ids to vectors. It holds no parameters: they are passed to every call.

    Attributes:
      module: the network; its `dtype` is that of the computation, parameters are float32.
      tokenizer: makes the ids; knows the pad id and the position of a row's first token.
      pooling: "mean" over tokens, "pooler": tanh(W h + b) of the first token, "cls": that token.
      normalize: whether vectors are scaled to unit length.
      query_length, code_length: tokens of a row, special tokens included.
      dataflow: the rules by which code comes with its data flow; "none" for the text alone.
      flow_length: places of a row of code that are left to data flow.

    Raises:
      InputError: an unknown pooling, lengths or ids that the network has no rows for.

    Example:
      >>> from softnce_jax.pretrained.tiny import TinyConfig, tiny
      >>> sizes = TinyConfig(vocab_size=300, hidden_size=32)
      >>> encoder, params = tiny(["def add(a, b)"], key=jax.random.key(0), sizes=sizes)
      >>> ids = encoder.tokenizer.pad(encoder.tokenizer.tokenize(["add", "a + b"], 8), 8)
      >>> encoder.embed(params, ids).shape
      (2, 32)
    """

    module: AnyMaskRobertaModule
    tokenizer: Tokenizer
    pooling: Literal["mean", "pooler", "cls"] = "mean"
    normalize: bool = False
    query_length: int = 128
    code_length: int = 256
    dataflow: Literal["none", "published", "extended"] = "none"
    flow_length: int = 0

    def __post_init__(self):
        if self.pooling not in POOLINGS:
            raise InputError(f"pooling must be one of {POOLINGS}, got {self.pooling!r}")
        for length in (self.query_length, self.code_length + self.flow_length):
            self._check_length(length)
        if self.tokenizer.vocab_size > self.config.vocab_size:
            raise InputError(
                f"the tokenizer has {self.tokenizer.vocab_size} tokens, the model's vocab_size is "
                f"{self.config.vocab_size}: they do not belong together"
            )

    @property
    def config(self) -> PretrainedConfig:
        """The network's configuration, as transformers has it."""
        return self.module.config

    @property
    def max_length(self) -> int:
        """The most tokens that a row can have."""
        return self.config.max_position_embeddings - self.tokenizer.first_position

    def init(self, key: jax.Array) -> dict[str, Any]:
        """Random parameters, under their published names."""
        ids_RL = jnp.full((1, 1), self.tokenizer.pad_id)
        mask_RL = ids_RL == self.tokenizer.pad_id
        return self.module.init(key, ids_RL, mask_RL, jnp.zeros_like(ids_RL))["params"]

    def parameter_count(self, params: dict[str, Any]) -> int:
        """How many numbers `params` holds."""
        return sum(leaf.size for leaf in jax.tree.leaves(params))

    def embed(
        self,
        params: dict[str, Any],
        rows: PackedRows | Int[Array, "R L"],
        *,
        key: jax.Array | None = None,
    ) -> Float[Array, "*R D"]:
        """The vectors of the texts in rows.

        Args:
          params: the network's parameters.
          rows: texts packed, each alone to the network whatever its neighbours; or token ids of
            one text a row, padded on the right.
          key: of dropout; None for no dropout. Its bits follow the number of a text in the batch
            and the position of a token in its text, not the row.

        Returns:
          Float32 vectors: of packed rows (G, R·S, D), those of all slots; of ids (R, D).

        Raises:
          InputError: rows longer than the network has positions.
        """
        if not isinstance(rows, PackedRows):
            vector_1SD = self.embed(params, self._one_text_per_row(rows), key=key)
            return vector_1SD.reshape(len(rows), -1, vector_1SD.shape[-1])[:, 0]
        groups, _, length = rows.ids.shape
        flat = jax.tree.map(lambda x: jnp.asarray(x, jnp.int32).reshape(-1, *x.shape[2:]), rows)
        self._check_length(length)
        is_token_RL, mask_RLL, words_RLD = flat.text != NOWHERE, same_text(flat.text), None
        positions_RL = self.positions(is_token_RL, flat.place)
        if flat.spans is not None:
            # A node has the mean of its tokens' word embeddings and position 0, and no part in
            # the pooled vector.
            is_node_RL = flat.spans[..., 0] >= 0
            is_token_RL &= ~is_node_RL
            is_special_RL = self._is_special(flat.ids) & is_token_RL
            mask_RLL = graph_mask(flat.spans, flat.edges, is_token_RL, is_special_RL, flat.text)
            positions_RL = jnp.where(is_node_RL, 0, positions_RL)
            words_RLD = node_words(self._words(params, flat.ids), flat.spans)
        dropout = None if key is None else Dropout.of(key, flat.text, flat.place)
        states_RLD = self.states(
            params, flat.ids, mask_RLL, positions_RL, inputs_embeds=words_RLD, dropout=dropout
        )
        counted_RL = is_token_RL if self.pooling == "mean" else is_token_RL & (flat.place == 0)
        pooled_RSD = pool_slots(states_RLD, flat.slot, counted_RL, slots_of(length))
        vector_RD = self._finish(params, pooled_RSD.reshape(-1, pooled_RSD.shape[-1]))
        return vector_RD.reshape(groups, -1, vector_RD.shape[-1])

    def _one_text_per_row(self, ids_RL: Int[Array, "R L"]) -> PackedRows:
        """Padded ids as packed rows: text r in the first slot of row r of one group."""
        ids_RL = jnp.asarray(ids_RL)
        self._check_length(ids_RL.shape[1])
        is_token_RL = ids_RL != self.tokenizer.pad_id
        row_R1, place_1L = jnp.arange(ids_RL.shape[0])[:, None], jnp.arange(ids_RL.shape[1])[None]
        text_RL = jnp.where(is_token_RL, row_R1, NOWHERE)
        place_RL = jnp.where(is_token_RL, place_1L, 0)
        slot_RL = jnp.where(is_token_RL, 0, NOWHERE)
        return jax.tree.map(lambda x: x[None], PackedRows(ids_RL, text_RL, place_RL, slot_RL))

    def positions(
        self, is_token_RL: Bool[Array, "R L"], place_RL: Int[Array, "R L"]
    ) -> Int[Array, "R L"]:
        """Position ids of tokens from their positions in their texts, counted from 0.

        RoBERTa begins after the padding's position, BERT at 0.
        """
        first = self.tokenizer.first_position
        return place_RL if first == 0 else jnp.where(is_token_RL, place_RL + first, first - 1)

    def states(
        self,
        params: dict[str, Any],
        ids_RL: Int[Array, "R L"],
        mask: Bool[Array, "R L"] | Bool[Array, "R L L"],
        positions_RL: Int[Array, "R L"],
        *,
        inputs_embeds: Float[Array, "R L D"] | None = None,
        dropout: Dropout | None = None,
    ) -> Float[Array, "R L D"]:
        """Last hidden states of rows in any layout; arguments as those of the module."""
        given = {"inputs_embeds": inputs_embeds, "dropout": dropout}
        return self.module.apply({"params": params}, ids_RL, mask, positions_RL, **given)

    def _finish(self, params, vector_RD) -> Float[Array, "R D"]:
        if self.pooling == "pooler":
            vector_RD = self.module.apply({"params": params}, vector_RD, method="pooled")
            vector_RD = vector_RD.astype(jnp.float32)
        return unit_length(vector_RD) if self.normalize else vector_RD

    def _is_special(self, ids_RL):
        return (ids_RL == self.tokenizer.head[0]) | (ids_RL == self.tokenizer.tail[-1])

    def _words(self, params, ids_RL):
        return params["embeddings"]["word_embeddings"]["embedding"][ids_RL]

    def _check_length(self, length: int) -> None:
        if length > self.max_length:
            raise InputError(
                f"{length} tokens a row, but the model has {self.max_length} positions"
            )


def of_slots(vector_GSD: Float[Array, "G S D"], slot_GT: Int[Array, "G T"]) -> Float[Array, "R D"]:
    """The vectors of texts from those of all slots of packed rows.

    Args:
      vector_GSD: as `Encoder.embed` gives them for packed rows.
      slot_GT: where the texts of each group are; no slot twice.

    Returns:
      Vectors (G·T, D), group after group.

    Example:
      >>> of_slots(jnp.array([[[1.0], [2.0], [3.0]]]), jnp.array([[2, 0]])).ravel().tolist()
      [3.0, 1.0]
    """

    def of_group(vector_SD, slot_T):
        return vector_SD.at[slot_T].get(unique_indices=True, mode="promise_in_bounds")

    vector_GTD = jax.vmap(of_group)(vector_GSD, slot_GT)
    return vector_GTD.reshape(-1, vector_GTD.shape[-1])
