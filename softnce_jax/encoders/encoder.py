"""The encoder: a network, its tokenizer and a way to pool, bound together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from transformers import PretrainedConfig, PreTrainedTokenizerBase

from softnce_jax._scores import unit_length
from softnce_jax.encoders.dropout import Dropout
from softnce_jax.encoders.graph import graph_mask, node_words, same_text
from softnce_jax.encoders.pooling import pool_slots
from softnce_jax.encoders.roberta import RobertaModule
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.errors import InputError
from softnce_jax.packing import PADDING, PackedRows, slots_per_row

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Int

__all__ = ["POOLINGS", "Encoder", "of_slots"]

POOLINGS = ("mean", "pooler", "cls")


@dataclass(frozen=True, eq=False)
class Encoder:
    """Turns token ids into vectors. It holds no parameters: they are passed to every call.

    Attributes:
      module: the network; its `dtype` is that of the computation, parameters are float32.
      tokenizer: makes the ids; knows the pad id, the position id of a text's first token and the
        prompts.
      pooling: "mean" over tokens, "pooler": tanh(W h + b) of the first token, "cls": that token.
      normalize: whether vectors are scaled to unit length, at last.
      query_length, code_length: maximum tokens of a query and of a function, special tokens
        included.
      dataflow: the rules that extract the data flow of code; "none" for the text alone.
      flow_length: positions that code leaves for its data flow, beside `code_length`.
      truncate_dim: how many of a vector's numbers are kept, the first ones; None for all.
      truncates_unit: whether vectors are scaled to unit length before that, too.
      similarity: of two vectors, as the model's folder says; see `for_ranking`.

    Raises:
      InputError: an unknown pooling, more tokens or ids than the network's tables have rows, no
        room for text, or prompts where pooling or data flow has no place for them.

    Example:
      >>> from softnce_jax.pretrained.tiny import TinyConfig, tiny
      >>> sizes = TinyConfig(vocab_size=300, hidden_size=32)
      >>> encoder, params = tiny(["def add(a, b)"], key=jax.random.key(0), sizes=sizes)
      >>> ids = encoder.tokenizer.pad(encoder.tokenizer.tokenize(["add", "a + b"], 8), 8)
      >>> jax.jit(encoder.embed)(params, ids).shape
      (2, 32)
    """

    module: RobertaModule
    tokenizer: Tokenizer
    pooling: Literal["mean", "pooler", "cls"] = "mean"
    normalize: bool = False
    query_length: int = 128
    code_length: int = 256
    dataflow: Literal["none", "published", "extended"] = "none"
    flow_length: int = 0
    truncate_dim: int | None = None
    truncates_unit: bool = False
    similarity: Literal["dot", "cosine"] = "dot"

    in_bags: ClassVar[bool] = False  # texts lie in packed rows, those of a static encoder in bags

    def __post_init__(self):
        if self.pooling not in POOLINGS:
            raise InputError(f"pooling must be one of {POOLINGS}, got {self.pooling!r}")
        for length in (self.query_length, self.code_length + self.flow_length):
            self._check_length(length)
        specials = self.tokenizer.special_count
        if min(self.query_length, self.code_length) <= specials:
            raise InputError(
                f"query_length {self.query_length} and code_length {self.code_length}: both must "
                f"exceed the {specials} special tokens of a text"
            )
        if self.tokenizer.vocab_size > self.config.vocab_size:
            raise InputError(
                f"the tokenizer has {self.tokenizer.vocab_size} tokens, the model's vocab_size is "
                f"{self.config.vocab_size}: they do not belong together"
            )
        prompts = self.tokenizer.prompts
        if self._has_unpooled and self.pooling != "mean":
            raise InputError(f"include_prompt false goes with mean pooling, not {self.pooling}")
        if prompts.document and self.dataflow != "none":
            raise InputError(
                f"a prompt before code, {prompts.document!r}, and dataflow {self.dataflow}: rows "
                "with data flow have no prompt; use dataflow none"
            )

    @classmethod
    def from_flax(
        cls, model: Any, tokenizer: PreTrainedTokenizerBase, **settings: Any
    ) -> tuple[Encoder, dict[str, Any]]:
        """An encoder of a model of transformers that is in memory, as it is.

        Args:
          model: a FlaxRobertaModel or FlaxBertModel, which transformers 4 has.
          tokenizer: its fast tokenizer, not to be used elsewhere afterwards.
          **settings: fields of the Encoder beside the first two.

        Returns:
          The encoder, and the model's parameters.

        Raises:
          InputError: another kind of model, or what `Encoder` raises.
        """
        kind = getattr(getattr(model, "config", None), "model_type", type(model).__name__)
        if kind not in ("roberta", "bert") or not hasattr(model, "params"):
            raise InputError(
                f"{kind}: no Flax RoBERTa or BERT of transformers; save it and load the folder"
            )
        module = RobertaModule(model.config, dtype=model.dtype)
        bound = Tokenizer(tokenizer, first_position=0 if kind == "bert" else None)
        return cls(module, bound, **settings), dict(model.params)

    @property
    def config(self) -> PretrainedConfig:
        """The network's configuration, of a class of transformers."""
        return self.module.config

    @property
    def _has_unpooled(self) -> bool:
        """Whether a text may have tokens that are read but are no part of its mean."""
        prompts = self.tokenizer.prompts
        return not prompts.pooled and any(prompts.texts.values())

    @property
    def identity(self) -> tuple:
        """What decides the vectors of rows of token ids, beside the parameters."""
        tokenizer = self.tokenizer
        return (
            *(self.pooling, self.normalize, str(np.dtype(self.module.dtype))),
            *(tokenizer.pad_id, tokenizer.first_position),
            *(self.code_length, self.flow_length, self.config.to_json_string()),
            *(self.truncate_dim, self.truncates_unit, tokenizer.prompts.pooled),
        )

    @property
    def dropouts(self) -> tuple[float, float]:
        """The fractions of states and of attention weights that training drops."""
        return self.config.hidden_dropout_prob, self.config.attention_probs_dropout_prob

    def for_ranking(self) -> Encoder:
        """The encoder whose dot products rank as the model's similarity does.

        Returns:
          The encoder itself, or for "cosine" the same with vectors of unit length.
        """
        return replace(self, normalize=True) if self.similarity == "cosine" else self

    def unnormalized(self) -> Encoder:
        """The encoder without scaling to unit length, to be ranked by dot products."""
        return replace(self, normalize=False, truncates_unit=False)

    @property
    def dimensions(self) -> int:
        """D, the numbers of a vector."""
        return min(self.config.hidden_size, self.truncate_dim or self.config.hidden_size)

    @property
    def max_length(self) -> int:
        """Maximum tokens of a text."""
        return self.config.max_position_embeddings - self.tokenizer.first_position

    def init(self, key: jax.Array) -> dict[str, Any]:
        """Random parameters under their published names."""
        # Of shapes alone: of arrays it would compute the states of a text, operation by operation.
        ids_RL, mask_RL = (jax.ShapeDtypeStruct((1, 1), kind) for kind in (jnp.int32, bool))
        return self.module.lazy_init(key, ids_RL, mask_RL, ids_RL)["params"]

    def parameter_count(self, params: dict[str, Any]) -> int:
        """The number of parameters."""
        return sum(leaf.size for leaf in jax.tree.leaves(params))

    def embed(
        self,
        params: dict[str, Any],
        rows: PackedRows | Int[Array, "R L"],
        *,
        key: jax.Array | None = None,
    ) -> Float[Array, "*R D"]:
        """The vectors of texts in packed rows.

        A text's vector depends neither on its row nor on its neighbours there, and nor does its
        dropout, whose bits follow the text's number in the batch and the token's position.

        Args:
          params: the network's parameters.
          rows: packed texts; or token ids of one text a row, padded on the right.
          key: of dropout; None for no dropout.

        Returns:
          Float32 vectors: of packed rows (G, R·S, D), those of all slots; of ids (R, D).

        Raises:
          InputError: rows longer than the network has positions.
        """
        if isinstance(rows, PackedRows):
            return self._embed_packed(params, rows, key)
        (vector_SD,) = self._embed_packed(params, self._one_text_per_row(rows), key)
        return vector_SD.reshape(len(rows), -1, vector_SD.shape[-1])[:, 0]

    def _embed_packed(
        self, params: dict[str, Any], rows: PackedRows, key: jax.Array | None
    ) -> Float[Array, "G S D"]:
        groups, _, length = rows.ids.shape
        self._check_length(length)
        # The groups end to end: from here, R counts the rows of all of them.
        rows = jax.tree.map(lambda x: jnp.asarray(x, jnp.int32).reshape(-1, *x.shape[2:]), rows)
        is_token_RL, words_RLD = rows.segment_ids != PADDING, None
        is_pooled_RL = is_token_RL
        if self._has_unpooled:
            is_pooled_RL &= rows.ids >= 0
            rows = rows._replace(ids=jnp.where(rows.ids < 0, ~rows.ids, rows.ids))
        mask_RLL = same_text(rows.segment_ids)
        position_id_RL = self.position_ids(is_token_RL, rows.positions)
        if rows.spans is not None:
            # A node has position id 0, the mean of its tokens' word embeddings, and no part in
            # the pooled vector.
            is_node_RL = rows.spans[..., 0] >= 0
            is_token_RL &= ~is_node_RL
            is_pooled_RL &= ~is_node_RL
            is_special_RL = self._is_special(rows.ids) & is_token_RL
            mask_RLL = graph_mask(
                rows.spans, rows.edges, is_token_RL, is_special_RL, rows.segment_ids
            )
            position_id_RL = jnp.where(is_node_RL, 0, position_id_RL)
            words_RLD = node_words(self._words(params, rows.ids), rows.spans)
        states_RLD = self.states(
            params,
            rows.ids,
            mask_RLL,
            position_id_RL,
            inputs_embeds=words_RLD,
            dropout=None if key is None else Dropout.of(key, rows.segment_ids, rows.positions),
        )
        if self.pooling != "mean":
            is_pooled_RL &= rows.positions == 0
        pooled_RSD = pool_slots(states_RLD, rows.slots, is_pooled_RL, slots_per_row(length))
        vector_RD = self._finish(params, pooled_RSD.reshape(-1, pooled_RSD.shape[-1]))
        return vector_RD.reshape(groups, -1, vector_RD.shape[-1])

    def _one_text_per_row(self, ids_RL: Int[Array, "R L"]) -> PackedRows:
        """Padded ids as packed rows: text r in the first slot of row r of one group."""
        ids_RL = jnp.asarray(ids_RL)
        is_token_RL = ids_RL != self.tokenizer.pad_id
        number_R1 = jnp.arange(len(ids_RL))[:, None]
        rows = PackedRows(
            ids=ids_RL,
            segment_ids=jnp.where(is_token_RL, number_R1, PADDING),
            positions=jnp.where(is_token_RL, jnp.cumsum(is_token_RL, axis=1) - 1, 0),
            slots=jnp.where(is_token_RL, 0, PADDING),
        )
        return jax.tree.map(lambda x_RL: x_RL[None], rows)

    def position_ids(
        self, is_token_RL: Bool[Array, "R L"], position_RL: Int[Array, "R L"]
    ) -> Int[Array, "R L"]:
        """Rows of the position table for positions counted from 0 in each text.

        RoBERTa's first one follows that of padding; BERT's is 0.
        """
        first = self.tokenizer.first_position
        return position_RL if first == 0 else jnp.where(is_token_RL, position_RL + first, first - 1)

    def states(
        self,
        params: dict[str, Any],
        ids_RL: Int[Array, "R L"],
        mask: Bool[Array, "R L"] | Bool[Array, "R L L"],
        position_id_RL: Int[Array, "R L"],
        *,
        inputs_embeds: Float[Array, "R L D"] | None = None,
        dropout: Dropout | None = None,
    ) -> Float[Array, "R L D"]:
        """Last hidden states under any mask; arguments as those of the module."""
        options = {"inputs_embeds": inputs_embeds, "dropout": dropout}
        return self.module.apply({"params": params}, ids_RL, mask, position_id_RL, **options)

    def _finish(
        self, params: dict[str, Any], vector_RD: Float[Array, "R D"]
    ) -> Float[Array, "R D"]:
        """The pooler's layer, fewer dimensions and unit length, where the encoder has them."""
        if self.pooling == "pooler":
            vector_RD = self.module.apply({"params": params}, vector_RD, method="pooled")
            vector_RD = vector_RD.astype(jnp.float32)
        if self.truncates_unit:
            vector_RD = unit_length(vector_RD)
        vector_RD = vector_RD[:, : self.truncate_dim]
        return unit_length(vector_RD) if self.normalize else vector_RD

    def _is_special(self, ids_RL: Int[Array, "R L"]) -> Bool[Array, "R L"]:
        return (ids_RL == self.tokenizer.head[0]) | (ids_RL == self.tokenizer.tail[-1])

    def _words(self, params: dict[str, Any], ids_RL: Int[Array, "R L"]) -> Float[Array, "R L D"]:
        return params["embeddings"]["word_embeddings"]["embedding"][ids_RL]

    def _check_length(self, length: int) -> None:
        if length > self.max_length:
            raise InputError(
                f"{length} tokens a row, but the model has {self.max_length} positions"
            )


def of_slots(vector_GSD: Float[Array, "G S D"], slot_GT: Int[Array, "G T"]) -> Float[Array, "R D"]:
    """Selects the vectors of texts from those of all slots of packed rows.

    Args:
      vector_GSD: what `Encoder.embed` returns for packed rows.
      slot_GT: the slots of each group's texts; no slot twice.

    Returns:
      Vectors (G·T, D), group after group.

    Example:
      >>> of_slots(jnp.array([[[1.0], [2.0], [3.0]]]), jnp.array([[2, 0]])).ravel().tolist()
      [3.0, 1.0]
    """

    def of_group(vector_SD, slot_T):
        # Promised, so that the scatter of the gradient needs no bounds checks and no atomic sums.
        return vector_SD.at[slot_T].get(unique_indices=True, mode="promise_in_bounds")

    vector_GTD = jax.vmap(of_group)(vector_GSD, slot_GT)
    return vector_GTD.reshape(-1, vector_GTD.shape[-1])
