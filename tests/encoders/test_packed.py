"""Packed rows give the vectors and gradients of padded ones, with data flow, too."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from transformers import RobertaConfig

from softnce_jax.data.corpus import Pair
from softnce_jax.data.sample import load_sample
from softnce_jax.dataflow.cache import GraphCodes, Settings
from softnce_jax.encoders.encoder import Encoder, of_slots
from softnce_jax.encoders.roberta import AnyMaskRobertaModule
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.packing import Room, fill, first_fit, sizes
from softnce_jax.pretrained.tiny import train_tokenizer

CODE, FLOW = 48, 16
SAMPLE = load_sample("python").train[:10:2]
SHORT = ["def f(a):\n    return a", "x = y", "def g(a, b):\n    c = a + b\n    return c", "n = 1"]
# One is so long that tokens, and the pieces of nodes, are cut off.
CODES = [*SHORT, *(pair.code for pair in SAMPLE), "\n".join(pair.code for pair in SAMPLE)]
PAIRS = [Pair(f"query {i}", code, f"url {i}", "python") for i, code in enumerate(CODES)]
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def stand():
    """An encoder with lively weights, its parameters, and its graphs."""
    tokenizer = Tokenizer(train_tokenizer([pair.code for pair in PAIRS], 400))
    config = RobertaConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=CODE + FLOW + 2,
        initializer_range=0.2,
    )
    encoder = Encoder(AnyMaskRobertaModule(config), tokenizer, query_length=16, code_length=CODE)
    graphs = GraphCodes(tokenizer, Settings("published", CODE, FLOW))
    return encoder, encoder.init(KEY), graphs


def texts_of(stand, dataflow):
    encoder, _, graphs = stand
    if dataflow:
        return graphs(PAIRS)
    return encoder.tokenizer.tokenize([pair.code for pair in PAIRS], CODE)


def layouts(stand, dataflow):
    """The same texts packed, with their slots, and padded."""
    encoder, _, graphs = stand
    texts = texts_of(stand, dataflow)
    room = Room(CODE + FLOW, graphs.edge_room if dataflow else 0)
    plan = first_fit(sizes(texts, room), room)
    assert plan.rows < len(texts)
    packed = fill([texts], [plan], [range(len(texts))], rows=plan.rows + 1, room=room, pad_id=1)
    padded = graphs.pad(texts) if dataflow else encoder.tokenizer.pad(texts, CODE)
    return packed, plan.slot_T(room.slots)[None], padded


@pytest.mark.parametrize("dataflow", [False, True], ids=["text", "dataflow"])
@pytest.mark.parametrize("pooling", ["mean", "cls", "pooler"])
@pytest.mark.parametrize("key", [None, KEY], ids=["still", "dropping"])
def test_vectors_and_gradients_are_those_of_padded_rows(stand, pooling, dataflow, key):
    encoder, params, _ = stand
    encoder = dataclasses.replace(encoder, pooling=pooling, normalize=True)
    packed, slots, padded = layouts(stand, dataflow)
    u_RD = jax.random.normal(KEY, (len(PAIRS), 32))

    def of_padded(params):
        return encoder.embed(params, padded, key=key)

    def of_packed(params, packed=packed):
        return of_slots(encoder.embed(params, packed, key=key), slots)

    expected, found = jax.jit(of_padded)(params), jax.jit(of_packed)(params)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    gradients = [
        jax.jit(jax.grad(lambda p, f=f: jnp.sum(f(p) * u_RD)))(params)
        for f in (of_packed, of_padded)
    ]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *gradients)
    # The controls: texts that see their neighbours; positions that go on along the row.
    everyone = packed._replace(text=np.where(packed.text < 0, -1, 0))
    columns = np.broadcast_to(np.arange(CODE + FLOW, dtype=np.int16), packed.place.shape)
    for wrong in (everyone, packed._replace(place=columns)):
        assert np.abs(of_packed(params, wrong) - expected).max() > 1e-2


def test_nodes_without_pieces_are_there_and_full_rows_are_alone(stand):
    examples = texts_of(stand, True)
    cut = [e for e in examples if len(e.spans) and (e.spans[:, 0] == e.spans[:, 1]).any()]
    assert cut and all(len(example) == CODE + FLOW for example in cut)


def test_what_stands_beside_a_text_does_not_reach_it(stand):
    """Not even as NaN in the gradient of the words."""
    encoder, params, _ = stand
    packed, slots, _ = layouts(stand, True)
    other = np.flatnonzero(np.bincount(packed.text[packed.text >= 0]) > 0)[1:]
    changed = packed.ids.copy()
    changed[np.isin(packed.text, other)] = 7
    before, after = (
        of_slots(encoder.embed(params, packed._replace(ids=ids)), slots)
        for ids in (packed.ids, changed)
    )
    np.testing.assert_allclose(before[0], after[0], atol=1e-6)
    assert np.abs(before[1:] - after[1:]).max() > 1e-2
