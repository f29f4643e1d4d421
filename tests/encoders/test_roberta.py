from __future__ import annotations

from functools import cache, partial
from unittest.mock import patch

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from transformers import RobertaConfig

from softnce_jax.encoders.dropout import Dropout
from softnce_jax.encoders.roberta import RobertaModule
from tests.stock_models import torch_twin

pytestmark = pytest.mark.interop

R, L = 4, 24
LENGTHS = np.array([L, 9, 2, 1])


def inputs(model):
    """Padded ids, their mask and the positions that transformers gives them."""
    random = np.random.default_rng(1)
    pad = model.config.pad_token_id
    mask = np.arange(L) < LENGTHS[:, None]
    ids = np.where(mask, random.integers(5, 60, (R, L)), pad)
    counted = np.cumsum(mask, axis=1) * mask + pad
    columns = np.broadcast_to(np.arange(L), (R, L))
    return ids, mask, counted if model.config.model_type == "roberta" else columns


@cache
def programs(model):
    """States and pooled vectors of our network and of transformers' own."""
    module = RobertaModule(model.config)

    def ours(params, ids, mask, positions):
        states = module.apply({"params": params}, ids, mask, positions)
        return states, module.apply({"params": params}, states[:, 0], method="pooled")

    def stock(params, ids, mask):
        exact = partial(nn.LayerNorm, use_fast_variance=False)
        with patch.object(nn, "LayerNorm", exact):  # while it is traced
            found = model.stock(ids, mask, params=params)
        return found.last_hidden_state, found.pooler_output

    return [partial(jax.jit(program), model.params) for program in (ours, stock)]


def ours(model, ids, mask, positions):
    return np.asarray(programs(model)[0](ids, mask, positions)[0])


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("kind", ["roberta", "bert"])
def test_equals_transformers_to_the_bit(kind, dimensions, request):
    model = request.getfixturevalue(kind)
    ids, mask, positions = inputs(model)
    wide = mask if dimensions == 2 else np.broadcast_to(mask[:, None], (R, L, L))
    ours, stock = programs(model)
    found, expected = ours(ids, wide, positions), stock(ids, mask)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.abs(found[0] - stock(ids, np.ones_like(mask))[0]).max() > 1e-2


def test_a_constant_in_all_features_changes_nothing(roberta):
    # LayerNorm takes it away again; by the mean square less the squared mean it leaves 1e-3.
    ids, mask, positions = inputs(roberta)
    program = programs(roberta)[0].func
    params = jax.tree.map(lambda leaf: leaf, roberta.params)
    table = params["embeddings"]["word_embeddings"]
    found = {}
    for shift in (0, 30, 31):
        table["embedding"] = roberta.params["embeddings"]["word_embeddings"]["embedding"] + shift
        table["embedding"][:, 0] += shift == 31  # the control: not all features
        found[shift] = np.asarray(program(params, ids, mask, positions)[0])
    np.testing.assert_allclose(found[30], found[0], atol=2e-4)
    assert np.abs(found[31] - found[0]).max() > 0.1


def test_parameters_have_the_published_names(roberta):
    ids, mask, positions = inputs(roberta)
    module = RobertaModule(roberta.config)
    params = jax.eval_shape(module.init, jax.random.key(0), ids, mask, positions)["params"]
    assert jax.tree.structure(params) == jax.tree.structure(roberta.params)


@pytest.mark.parametrize("kind", ["roberta", "bert"])
def test_equals_pytorch(kind, request, torch):
    model = request.getfixturevalue(kind)
    ids, mask, positions = inputs(model)
    twin = torch_twin(torch, model)
    with torch.no_grad():
        expected = twin(torch.tensor(ids), torch.tensor(mask.astype(int)))
    states = ours(model, ids, mask, positions)
    difference = np.abs(states - expected.last_hidden_state.numpy())[mask]
    assert difference.max() < 1e-5
    shifted = ours(model, ids, mask, positions + 1)
    assert np.abs(shifted - expected.last_hidden_state.numpy())[mask].max() > 1e-2


def test_remat_keeps_values_and_gradients_and_is_there(roberta):
    ids, mask, positions = inputs(roberta)
    config = RobertaConfig(**roberta.config.to_dict() | {"num_hidden_layers": 1})
    variables = {"params": roberta.params}
    dropout = Dropout.of(jax.random.key(1), jnp.arange(R)[:, None], jnp.arange(L)[None])

    def value(variables, checkpointing):
        module = RobertaModule(config, gradient_checkpointing=checkpointing)
        return jnp.sum(module.apply(variables, ids, mask, positions, dropout=dropout) ** 2)

    gradient = jax.jit(jax.value_and_grad(value), static_argnums=1)
    programs = [gradient.trace(variables, on) for on in (False, True)]
    plain, kept = (program.lower().compile()(variables) for program in programs)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4), plain, kept)
    assert ["remat" in str(program.jaxpr) for program in programs] == [False, True]


def test_segments_of_one_row_are_as_rows_of_their_own(roberta):
    ids, _, positions = inputs(roberta)
    segment = np.repeat([0, 1], [10, L - 10])
    apart = np.broadcast_to(segment[:, None] == segment, (R, L, L))
    restarted = positions.copy()
    restarted[:, 10:] = positions[0, : L - 10]
    packed = ours(roberta, ids, apart, restarted)[0]
    alone = np.broadcast_to(segment == 0, (R, L)), np.broadcast_to(segment == 1, (R, L))
    first, second = (ours(roberta, ids, mask, restarted)[0] for mask in alone)
    np.testing.assert_allclose(packed[:10], first[:10], atol=1e-5)
    np.testing.assert_allclose(packed[10:], second[10:], atol=1e-5)
    assert np.abs(packed[:10] - second[:10]).max() > 1e-2


def test_a_row_that_attends_to_nothing_is_finite(roberta):
    ids, mask, positions = inputs(roberta)
    for empty in (np.zeros_like(mask), np.zeros((R, L, L), bool)):
        assert np.isfinite(ours(roberta, ids, empty, positions)).all()


def test_word_embeddings_can_be_given(roberta):
    ids, mask, positions = inputs(roberta)
    words = roberta.params["embeddings"]["word_embeddings"]["embedding"][ids]
    expected = ours(roberta, ids, mask, positions)
    module = RobertaModule(roberta.config)

    @jax.jit
    def given(words, ids, mask, positions):
        variables = {"params": roberta.params}
        return module.apply(variables, ids, mask, positions, inputs_embeds=words)

    np.testing.assert_array_equal(given(words, 0 * ids, mask, positions), expected)
    words[0, 1] = 0.0
    assert np.abs(given(words, 0 * ids, mask, positions)[0] - expected[0]).max() > 1e-2


def test_computes_in_bfloat16_with_float32_parameters(roberta):
    ids, mask, positions = inputs(roberta)
    module = RobertaModule(roberta.config, dtype=jnp.bfloat16)
    states = jax.jit(module.apply)({"params": roberta.params}, ids, mask, positions)
    exact = ours(roberta, ids, mask, positions)
    assert states.dtype == jnp.bfloat16
    assert 1e-4 < np.abs(np.asarray(states, np.float32) - exact).max() < 0.3
    params = jax.eval_shape(module.init, jax.random.key(0), ids, mask, positions)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


class SitesOnly:
    """A dropout that drops nothing and remembers at which sites it was asked to."""

    def __init__(self):
        self.sites: list[tuple[str, int]] = []

    def hidden(self, x_RLD, rate, site):
        self.sites.append(("hidden", int(site)))
        return x_RLD

    def attention(self, weights_RHLL, rate, site, kind):
        self.sites.append(("attention", int(site)))
        return weights_RHLL


def test_no_two_uses_of_dropout_draw_the_same_bits(roberta):
    """The embeddings, and three uses in each of two layers: seven sites, all different."""
    ids, mask, positions = inputs(roberta)
    module, dropout = RobertaModule(roberta.config), SitesOnly()
    params = {"params": roberta.params}
    jax.eval_shape(lambda: module.apply(params, ids, mask, positions, dropout=dropout))
    layers = roberta.config.num_hidden_layers
    assert len(dropout.sites) == len({site for _, site in dropout.sites}) == 1 + 3 * layers > 4
    assert [kind for kind, _ in dropout.sites[:4]] == ["hidden", "attention", "hidden", "hidden"]
