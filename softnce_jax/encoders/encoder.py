"""The encoder: one module, one tokenizer and one way to pool, bound together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
from transformers import PretrainedConfig

from softnce_jax.dataflow.example import GraphRows
from softnce_jax.encoders.dropout import Dropout
from softnce_jax.encoders.graph import graph_mask, node_words, same_text
from softnce_jax.encoders.pooling import first_token, mean_pool, pool_slots
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
        rows: Int[Array, "R L"] | GraphRows | PackedRows,
        *,
        key: jax.Array | None = None,
        first_text: int = 0,
    ) -> Float[Array, "*R D"]:
        """The vectors of rows.

        Args:
          params: the network's parameters.
          rows: token ids, padded on the right; code with its data flow; or texts packed.
          key: of dropout; None for no dropout.
          first_text: the number in the batch of the first row's text, by which dropout is drawn;
            packed rows know their texts' numbers.

        Returns:
          Float32 vectors (R, D); of packed rows (G, R·S, D), those of all slots.

        Raises:
          InputError: rows longer than the network has positions.
        """
        if isinstance(rows, PackedRows):
            return self._embed_packed(params, rows, key)
        if isinstance(rows, GraphRows):
            return self._embed_graphs(params, rows, key, first_text)
        ids_RL = jnp.asarray(rows)
        self._check_length(ids_RL.shape[1])
        mask_RL = ids_RL != self.tokenizer.pad_id
        dropout = _of_rows(key, ids_RL, first_text)
        states_RLD = self.states(params, ids_RL, mask_RL, self.positions(mask_RL), dropout=dropout)
        return self.pool(params, states_RLD, mask_RL)

    def _embed_graphs(self, params, rows: GraphRows, key, first_text) -> Float[Array, "R D"]:
        """As `embed`: nodes have the mean of their pieces, position 0, and are not pooled."""
        ids_RL, span_RL2, edge_RE2 = (jnp.asarray(x, jnp.int32) for x in rows)
        self._check_length(ids_RL.shape[1])
        is_node_RL = span_RL2[..., 0] >= 0
        is_token_RL = (ids_RL != self.tokenizer.pad_id) & ~is_node_RL
        states_RLD = self.states(
            params,
            ids_RL,
            graph_mask(span_RL2, edge_RE2, is_token_RL, self._is_special(ids_RL) & is_token_RL),
            jnp.where(is_node_RL, 0, self.positions(is_token_RL)),
            inputs_embeds=node_words(self._words(params, ids_RL), span_RL2),
            dropout=_of_rows(key, ids_RL, first_text),
        )
        return self.pool(params, states_RLD, is_token_RL)

    def _embed_packed(self, params, rows: PackedRows, key) -> Float[Array, "G S D"]:
        """As `embed`, for rows of several texts, which see nothing of each other."""
        groups, _, length = rows.ids.shape
        flat = jax.tree.map(lambda x: jnp.asarray(x, jnp.int32).reshape(-1, *x.shape[2:]), rows)
        self._check_length(length)
        is_token_RL, mask_RLL, words_RLD = flat.text != NOWHERE, same_text(flat.text), None
        positions_RL = self.positions(is_token_RL, flat.place)
        if flat.spans is not None:
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

    def positions(
        self, mask_RL: Bool[Array, "R L"], place_RL: Int[Array, "R L"] | None = None
    ) -> Int[Array, "R L"]:
        """Position ids of tokens from their places in their texts, by default one text a row.

        RoBERTa counts tokens and begins after the padding's position, BERT counts places from 0.
        """
        first = self.tokenizer.first_position
        if place_RL is None:
            place_RL = jnp.broadcast_to(jnp.arange(mask_RL.shape[1]), mask_RL.shape)
            place_RL = place_RL if first == 0 else jnp.cumsum(mask_RL, axis=1) - 1
        return place_RL if first == 0 else jnp.where(mask_RL, place_RL + first, first - 1)

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

    def pool(
        self,
        params: dict[str, Any],
        states_RLD: Float[Array, "R L D"],
        mask_RL: Bool[Array, "R L"],
    ) -> Float[Array, "R D"]:
        """One float32 vector a row, of unit length if `normalize`."""
        if self.pooling == "mean":
            return self._finish(params, mean_pool(states_RLD, mask_RL))
        return self._finish(params, first_token(states_RLD))

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


def unit_length(vector_RD: Float[Array, "R D"]) -> Float[Array, "R D"]:
    """The vectors divided by their lengths; 0 stays 0, with gradient 0.

    Args:
      vector_RD: vectors.

    Returns:
      Vectors of length 1 (R, D).

    Example:
      >>> unit_length(jnp.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
      [[0.6, 0.8], [0.0, 0.0]]
    """
    squared_R1 = jnp.sum(vector_RD**2, axis=1, keepdims=True)
    there_R1 = squared_R1 > 0
    return jnp.where(there_R1, vector_RD * jax.lax.rsqrt(jnp.where(there_R1, squared_R1, 1)), 0)


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


def _of_rows(key: jax.Array | None, ids_RL, first_text: int) -> Dropout | None:
    """The dropout of rows of one text each."""
    if key is None:
        return None
    text_R1 = jnp.arange(first_text, first_text + len(ids_RL))[:, None]
    return Dropout.of(key, text_R1, jnp.arange(ids_RL.shape[1])[None])
