"""RoBERTa in Flax, under any attention mask, with explicit positions and word embeddings.

Modules and parameters have the names of transformers' Flax models, so the trees of its checkpoints
fit. BERT has the same parameters and arithmetic, so BERT checkpoints fit too (their positions start
at 0), and so do DistilBERT's, once renamed. Dropout's bits follow the tokens
(`encoders/dropout.py`).

Liu et al., "RoBERTa: A Robustly Optimized BERT Pretraining Approach", 2019; Devlin et al., "BERT",
NAACL 2019.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from transformers import PretrainedConfig

from softnce_jax.encoders.attention import attend, attention_bias
from softnce_jax.encoders.dropout import Dropout, Kind

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Int

__all__ = ["ACTIVATIONS", "RobertaModule"]

# By the name in a configuration's `hidden_act`.
ACTIVATIONS = {
    "gelu": partial(nn.gelu, approximate=False),
    "gelu_new": partial(nn.gelu, approximate=True),
    "gelu_pytorch_tanh": partial(nn.gelu, approximate=True),
    "quick_gelu": lambda x: x * nn.sigmoid(1.702 * x),
    "relu": nn.relu,
    "silu": nn.silu,
    "swish": nn.silu,
    "tanh": nn.tanh,
}


class RobertaModule(nn.Module):
    """RoBERTa or BERT under any attention mask.

    Attributes:
      config: sizes and rates, a RobertaConfig or BertConfig.
      dtype: of the computation; parameters are float32.
      gradient_checkpointing: whether each layer is recomputed for its gradient instead of stored.
      attention_dropout: how attention weights are dropped; the `kind` of `Dropout.attention`.

    Example:
      >>> import jax
      >>> from transformers import RobertaConfig
      >>> config = RobertaConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1,
      ...                        num_attention_heads=2, intermediate_size=8)
      >>> module = RobertaModule(config)
      >>> rows = jnp.array([[0, 5, 2]]), jnp.ones((1, 3), bool), jnp.array([[2, 3, 4]])
      >>> variables = jax.jit(module.init)(jax.random.key(0), *rows)
      >>> jax.jit(module.apply)(variables, *rows).shape
      (1, 3, 8)
    """

    config: PretrainedConfig
    dtype: jnp.dtype = jnp.float32
    gradient_checkpointing: bool = False
    attention_dropout: Kind = "shared"

    def setup(self):
        self.embeddings = Embeddings(self.config, self.dtype)
        self.encoder = Stack(
            self.config, self.dtype, self.attention_dropout, self.gradient_checkpointing
        )
        self.pooler = Pooler(self.config, self.dtype)

    def __call__(
        self,
        input_ids_RL: Int[Array, "R L"],
        mask: Bool[Array, "R L"] | Bool[Array, "R L L"],
        position_ids_RL: Int[Array, "R L"],
        *,
        inputs_embeds: Float[Array, "R L D"] | None = None,
        dropout: Dropout | None = None,
    ) -> Float[Array, "R L D"]:
        """The last hidden states.

        Args:
          input_ids_RL: token ids.
          mask: the positions to attend to (R, L), or which attends to which (R, query L, key L).
          position_ids_RL: rows of the position table.
          inputs_embeds: word embeddings to use instead of those of the ids.
          dropout: the source of its bits; None for no dropout.

        Returns:
          Last hidden states (R, L, D) in the module's dtype.
        """
        bias_R1LL = attention_bias(mask, jnp.float32)
        hidden_RLD = self.embeddings(input_ids_RL, position_ids_RL, inputs_embeds)
        hidden_RLD = _drop(hidden_RLD, self.config, dropout, 0)
        hidden_RLD = self.encoder(hidden_RLD, bias_R1LL, dropout)
        if self.is_initializing():
            self.pooled(hidden_RLD[:, 0])
        return hidden_RLD

    def pooled(self, first_RD: Float[Array, "R D"]) -> Float[Array, "R D"]:
        """The pooler's output tanh(W h + b) for the states of first tokens."""
        return self.pooler(first_RD)


class Embeddings(nn.Module):
    """The sum of word, position and token type embeddings, normalized; one token type is used."""

    config: PretrainedConfig
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, input_ids_RL, position_ids_RL, inputs_embeds=None):
        config = self.config
        words = self._table(config.vocab_size, "word_embeddings")
        positions = self._table(config.max_position_embeddings, "position_embeddings")
        types = self._table(config.type_vocab_size, "token_type_embeddings")
        words_RLD = words(input_ids_RL) if inputs_embeds is None else inputs_embeds
        sum_RLD = words_RLD.astype(self.dtype) + types(jnp.zeros_like(input_ids_RL))
        sum_RLD += positions(position_ids_RL)
        return _layer_norm(self)(sum_RLD)

    def _table(self, rows: int, name: str) -> nn.Embed:
        return nn.Embed(
            rows,
            self.config.hidden_size,
            self.dtype,
            embedding_init=_normal(self.config),
            name=name,
        )


class Stack(nn.Module):
    """The layers, under the two names that published trees have above them."""

    config: PretrainedConfig
    dtype: jnp.dtype
    attention_dropout: Kind
    gradient_checkpointing: bool

    def setup(self):
        self.layer = Layers(
            self.config, self.dtype, self.attention_dropout, self.gradient_checkpointing
        )

    def __call__(self, hidden_RLD, bias_R1LL, dropout):
        return self.layer(hidden_RLD, bias_R1LL, dropout)


class Layers(nn.Module):
    """The layers, one after the other."""

    config: PretrainedConfig
    dtype: jnp.dtype
    attention_dropout: Kind
    gradient_checkpointing: bool

    @nn.compact
    def __call__(self, hidden_RLD, bias_R1LL, dropout):
        make = partial(Layer, self.config, self.dtype, self.attention_dropout)
        if self.gradient_checkpointing and not self.is_initializing():
            return self._recomputed(make(parent=None), hidden_RLD, bias_R1LL, dropout)
        for number in range(self.config.num_hidden_layers):
            hidden_RLD = make(name=str(number))(hidden_RLD, bias_R1LL, dropout, 3 * number + 1)
        return hidden_RLD

    def _recomputed(self, layer: Layer, hidden_RLD, bias_R1LL, dropout):
        """The layers in a loop, each recomputed for its gradient."""
        params, count = self.variables["params"], self.config.num_hidden_layers

        @jax.checkpoint
        def apply(hidden_RLD, params_and_site):
            params, site = params_and_site
            return layer.apply({"params": params}, hidden_RLD, bias_R1LL, dropout, site), None

        every = [params[str(number)] for number in range(count)]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *every)
        # A scan, because without one XLA finds on some platforms that both computations are the
        # same, and stores the first after all.
        return jax.lax.scan(apply, hidden_RLD, (stacked, 3 * jnp.arange(count) + 1))[0]


class Layer(nn.Module):
    """One transformer layer: attention under the bias, then the feed-forward part.

    It uses dropout three times: at `site` in the attention, and at the two sites after it.
    """

    config: PretrainedConfig
    dtype: jnp.dtype
    attention_dropout: Kind

    def setup(self):
        self.attention = Attention(self.config, self.dtype, self.attention_dropout)
        self.intermediate = Intermediate(self.config, self.dtype)
        self.output = Output(self.config, self.dtype)

    def __call__(self, hidden_RLD, bias_R1LL, dropout, site):
        hidden_RLD = self.attention(hidden_RLD, bias_R1LL, dropout, site)
        return self.output(self.intermediate(hidden_RLD), hidden_RLD, dropout, site + 2)


class Attention(nn.Module):
    """Self-attention and the layer behind it; dropout at `site` and the next."""

    config: PretrainedConfig
    dtype: jnp.dtype
    kind: Kind

    @nn.compact
    def __call__(self, hidden_RLD, bias_R1LL, dropout, site):
        attention = SelfAttention(self.config, self.dtype, self.kind, name="self")
        mixed_RLD = attention(hidden_RLD, bias_R1LL, dropout, site)
        output = Output(self.config, self.dtype, name="output")
        return output(mixed_RLD, hidden_RLD, dropout, site + 1)


class SelfAttention(nn.Module):
    """What each position attends to under the bias, heads merged."""

    config: PretrainedConfig
    dtype: jnp.dtype
    kind: Kind

    @nn.compact
    def __call__(self, hidden_RLD, bias_R1LL, dropout, site):
        *rows, size = hidden_RLD.shape
        heads = self.config.num_attention_heads
        query, key, value = (
            _dense(self, size, name)(hidden_RLD).reshape(*rows, heads, size // heads)
            for name in ("query", "key", "value")
        )
        rate, drop = self.config.attention_probs_dropout_prob, None  # of weights, not states
        if dropout is not None and rate > 0 and self.kind != "off":
            drop = partial(dropout.attention, rate=rate, site=site, kind=self.kind)
        return attend(query, key, value, bias_R1LL, drop).reshape(hidden_RLD.shape)


class Intermediate(nn.Module):
    """The wide layer of the feed-forward part and its activation."""

    config: PretrainedConfig
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, hidden_RLD):
        wide_RLW = _dense(self, self.config.intermediate_size)(hidden_RLD)
        return ACTIVATIONS[self.config.hidden_act](wide_RLW)


class Output(nn.Module):
    """Back to the hidden size, dropout, and LayerNorm of the sum with what came in."""

    config: PretrainedConfig
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x_RLW, hidden_RLD, dropout, site):
        narrow_RLD = _dense(self, self.config.hidden_size)(x_RLW)
        narrow_RLD = _drop(narrow_RLD, self.config, dropout, site)
        return _layer_norm(self)(narrow_RLD + hidden_RLD)


class Pooler(nn.Module):
    """tanh(W h + b)."""

    config: PretrainedConfig
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, first_RD):
        return nn.tanh(_dense(self, self.config.hidden_size)(first_RD))


def _dense(module: Any, size: int, name: str = "dense") -> nn.Dense:
    """A linear layer of a module, its kernel initialized as published."""
    return nn.Dense(size, dtype=module.dtype, kernel_init=_normal(module.config), name=name)


def _layer_norm(module: Any) -> nn.LayerNorm:
    """LayerNorm of a module.

    The variance takes two passes. Flax's default, the mean square less the squared mean, loses
    digits where the mean is large beside the spread.
    """
    return nn.LayerNorm(
        module.config.layer_norm_eps, module.dtype, use_fast_variance=False, name="LayerNorm"
    )


def _normal(config: PretrainedConfig):
    return nn.initializers.normal(config.initializer_range)


def _drop(x_RLD, config, dropout, site):
    """The states after the dropout of a site, if there is any."""
    return x_RLD if dropout is None else dropout.hidden(x_RLD, config.hidden_dropout_prob, site)
