"""transformers' Flax RoBERTa with any attention mask, explicit positions and word embeddings.

`setup` is inherited, so every parameter has its published name. BERT has the same parameters and
arithmetic, so BERT checkpoints fit too (their positions start at 0), and so do DistilBERT's, once
renamed. Dropout is not Flax's: its bits follow the tokens (`encoders/dropout.py`), and LayerNorm's
variance takes two passes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import flax.linen as nn
import jax
import jax.numpy as jnp
from transformers.models.roberta.modeling_flax_roberta import FlaxRobertaLayer, FlaxRobertaModule

from softnce_jax.encoders.attention import attend, attention_bias
from softnce_jax.encoders.dropout import Dropout, Kind

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Int

__all__ = ["AnyMaskRobertaModule"]


class AnyMaskRobertaModule(FlaxRobertaModule):
    """RoBERTa or BERT under any attention mask.

    Attributes:
      attention_dropout: how attention weights are dropped; the `kind` of `Dropout.attention`.

    Example:
      >>> import jax
      >>> from transformers import RobertaConfig
      >>> config = RobertaConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1,
      ...                        num_attention_heads=2, intermediate_size=8)
      >>> module = AnyMaskRobertaModule(config)
      >>> rows = jnp.array([[0, 5, 2]]), jnp.ones((1, 3), bool), jnp.array([[2, 3, 4]])
      >>> variables = jax.jit(module.init)(jax.random.key(0), *rows)
      >>> jax.jit(module.apply)(variables, *rows).shape
      (1, 3, 8)
    """

    attention_dropout: Kind = "shared"

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
        hidden_RLD = self._embed(input_ids_RL, position_ids_RL, inputs_embeds)
        hidden_RLD = _drop(hidden_RLD, self.config, dropout, 0)
        run = partial(
            _block, bias_R1LL=bias_R1LL, dropout=dropout, attention_dropout=self.attention_dropout
        )
        if self.gradient_checkpointing and not self.is_initializing():
            return self._recomputed(run, hidden_RLD)
        for number, layer in enumerate(self.encoder.layer.layers):
            hidden_RLD = run(layer, hidden_RLD, site=3 * number + 1)
        if self.is_initializing():
            self.pooled(hidden_RLD[:, 0])
        return hidden_RLD

    def _recomputed(self, run, hidden_RLD):
        """The layers one after the other in a loop, each recomputed for its gradient."""
        layers = self.encoder.layer.layers
        layer = FlaxRobertaLayer(self.config, dtype=self.dtype, parent=None)

        @jax.checkpoint
        def apply(hidden_RLD, params_and_site):
            params, site = params_and_site
            return nn.apply(partial(run, site=site), layer)({"params": params}, hidden_RLD), None

        sites = 3 * jnp.arange(len(layers)) + 1
        every = [layer.variables["params"] for layer in layers]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *every)
        # A scan, because without one XLA finds on some platforms that both computations are the
        # same, and stores the first after all.
        return jax.lax.scan(apply, hidden_RLD, (stacked, sites))[0]

    def pooled(self, first_RD: Float[Array, "R D"]) -> Float[Array, "R D"]:
        """The pooler's output tanh(W h + b) for the states of first tokens."""
        return self.pooler(first_RD[:, None])

    def _embed(self, input_ids_RL, position_ids_RL, inputs_embeds):
        tables = self.embeddings
        words_RLD = tables.word_embeddings(input_ids_RL) if inputs_embeds is None else inputs_embeds
        types_RLD = tables.token_type_embeddings(jnp.zeros_like(input_ids_RL))
        sum_RLD = words_RLD.astype(self.dtype) + types_RLD
        sum_RLD += tables.position_embeddings(position_ids_RL)
        return _layer_norm(tables.LayerNorm, sum_RLD)


def _block(layer, hidden_RLD, *, bias_R1LL, dropout, site, attention_dropout):
    """One transformer layer: attention under the bias, then the feed-forward part.

    It uses dropout three times: at `site` in the attention, and at the two sites after it.
    """
    config, attention = layer.config, layer.attention
    mixed_RLD = _self_attention(
        attention.self, hidden_RLD, bias_R1LL, dropout, site=site, kind=attention_dropout
    )
    mixed_RLD = _drop(attention.output.dense(mixed_RLD), config, dropout, site + 1)
    hidden_RLD = _layer_norm(attention.output.LayerNorm, mixed_RLD + hidden_RLD)
    wide_RLD = layer.intermediate(hidden_RLD)
    narrow_RLD = _drop(layer.output.dense(wide_RLD), config, dropout, site + 2)
    return _layer_norm(layer.output.LayerNorm, narrow_RLD + hidden_RLD)


def _layer_norm(norm, x_RLD):
    """LayerNorm whose variance is the mean square of what is left when the mean is taken away.

    Flax's default, the mean square less the squared mean, loses digits where the mean is large
    beside the spread.
    """
    if norm.is_initializing():
        return norm(x_RLD)
    exact = norm.clone(parent=None, use_fast_variance=False)
    return exact.apply({"params": norm.variables["params"]}, x_RLD)


def _drop(x_RLD, config, dropout, site):
    """The states after the dropout of a site, if there is any."""
    return x_RLD if dropout is None else dropout.hidden(x_RLD, config.hidden_dropout_prob, site)


def _self_attention(attention, hidden_RLD, bias_R1LL, dropout, *, site, kind):
    """What each position attends to under the bias, heads merged."""
    heads = (*hidden_RLD.shape[:2], attention.config.num_attention_heads, attention.head_dim)
    query, key, value = (
        project(hidden_RLD).reshape(heads)
        for project in (attention.query, attention.key, attention.value)
    )
    rate, drop = attention.config.attention_probs_dropout_prob, None  # of weights, not states
    if dropout is not None and rate > 0 and kind != "off":
        drop = partial(dropout.attention, rate=rate, site=site, kind=kind)
    return attend(query, key, value, bias_R1LL, drop).reshape(hidden_RLD.shape)
