"""Vectors and gradients do not depend on the row of a text, its neighbours or its padding."""

from __future__ import annotations

import dataclasses
import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from transformers import RobertaConfig

from softnce_jax._scores import unit_length
from softnce_jax.data.corpus import Pair
from softnce_jax.data.sample import load_sample
from softnce_jax.dataflow.cache import GraphCodes, Settings
from softnce_jax.encoders.encoder import Encoder, of_slots
from softnce_jax.encoders.roberta import RobertaModule
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.errors import InputError
from softnce_jax.packing import Capacity, fill, first_fit, one_per_row, sizes
from softnce_jax.pretrained.load import load
from softnce_jax.pretrained.tiny import train_tokenizer
from tests.pretrained.folders import ids_of
from tests.rows import padded_rows, row_vectors
from tests.stock_models import TEXTS

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
    encoder = Encoder(RobertaModule(config), tokenizer, query_length=16, code_length=CODE)
    graphs = GraphCodes(tokenizer, Settings("published", CODE, FLOW))
    return encoder, jax.jit(encoder.init)(KEY), graphs


def texts_of(stand, dataflow):
    encoder, _, graphs = stand
    if dataflow:
        return graphs(PAIRS)
    return encoder.tokenizer.tokenize([pair.code for pair in PAIRS], CODE)


def layouts(stand, dataflow):
    """The same texts packed, and each in a row of its own, in one shape; with their slots."""
    _, _, graphs = stand
    texts = texts_of(stand, dataflow)
    capacity = Capacity(CODE + FLOW, graphs.edge_capacity if dataflow else 0)
    plans = [plan(sizes(texts, capacity), capacity) for plan in (first_fit, one_per_row)]
    assert plans[0].rows < plans[1].rows == len(texts)
    options = {"rows": len(texts), "capacity": capacity, "pad_id": 1}
    return [
        (fill([texts], [plan], [range(len(texts))], **options), plan.slot_T(capacity.slots)[None])
        for plan in plans
    ]


# Pooling, dropout, data flow. Every pooling, with and without each of the others; the rest is slow.
FAST = [("mean", None, False), ("mean", KEY, True), ("cls", None, True), ("pooler", KEY, False)]
CASES = [
    pytest.param(*case, marks=() if case in FAST else pytest.mark.slow)
    for case in itertools.product(("mean", "cls", "pooler"), (None, KEY), (False, True))
]


@pytest.mark.parametrize(("pooling", "key", "dataflow"), CASES)
def test_vectors_and_gradients_are_those_of_rows_of_one_text(stand, pooling, dataflow, key):
    encoder, params, _ = stand
    encoder = dataclasses.replace(encoder, pooling=pooling, normalize=True)
    (packed, slots), alone = layouts(stand, dataflow)
    u_RD = np.random.default_rng(0).normal(size=(len(PAIRS), 32)).astype(np.float32)

    def total(params, rows, slots):
        vectors = of_slots(encoder.embed(params, rows, key=key), slots)
        return jnp.sum(vectors * u_RD), vectors

    run = jax.jit(jax.grad(total, has_aux=True))
    (gradient, found), (expected_gradient, expected) = (
        run(params, packed, slots),
        run(params, *alone),
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), gradient, expected_gradient
    )
    # The controls: texts that see their neighbours; positions that go on along the row.
    everyone = packed._replace(segment_ids=np.where(packed.segment_ids < 0, -1, 0).astype(np.int32))
    columns = np.broadcast_to(np.arange(CODE + FLOW, dtype=np.int16), packed.positions.shape)
    for wrong in (everyone, packed._replace(positions=columns)):
        assert np.abs(run(params, wrong, slots)[1] - expected).max() > 1e-2


def test_nodes_without_pieces_are_there_and_full_rows_are_alone(stand):
    examples = texts_of(stand, True)
    cut = [e for e in examples if len(e.spans) and (e.spans[:, 0] == e.spans[:, 1]).any()]
    assert cut and all(len(example) == CODE + FLOW for example in cut)


def test_neighbours_in_a_row_do_not_reach_a_text(stand):
    encoder, params, _ = stand
    (packed, slots), _ = layouts(stand, True)
    other = np.unique(packed.segment_ids)[2:]  # all but padding and text 0
    changed = packed.ids.copy()
    changed[np.isin(packed.segment_ids, other)] = 7
    embed = jax.jit(lambda rows: of_slots(encoder.embed(params, rows), slots))
    before, after = (np.asarray(embed(packed._replace(ids=ids))) for ids in (packed.ids, changed))
    np.testing.assert_allclose(before[0], after[0], atol=1e-6)
    assert np.abs(before[1:] - after[1:]).max() > 1e-2


def test_positions_are_those_of_transformers(roberta, roberta_folder):
    encoder, params = load(roberta_folder, pooling="pooler")
    ids = ids_of(encoder)
    ids[1, 3] = 1  # text that spells <pad>
    expected = jax.jit(roberta.stock)(ids, jnp.asarray(ids != 1)).pooler_output
    np.testing.assert_allclose(jax.jit(encoder.embed)(params, ids), expected, atol=5e-6)
    # The control: one position further.
    rows = padded_rows(encoder.tokenizer.tokenize(TEXTS, 24), 24)
    shifted = dataclasses.replace(encoder, pooling="mean")
    embed = jax.jit(partial(row_vectors, shifted))
    there, further = (
        embed(params, rows._replace(positions=(rows.positions + n).astype(np.int16)))
        for n in (0, 1)
    )
    assert np.abs(there - further).max() > 1e-2


def test_the_vector_does_not_depend_on_the_padding(roberta_folder):
    encoder, params = load(roberta_folder)
    embed = jax.jit(encoder.embed)
    narrow, wide = (np.asarray(embed(params, ids_of(encoder, length))) for length in (24, 38))
    np.testing.assert_allclose(narrow[::2], wide[::2], atol=1e-5)
    assert np.abs(narrow[3] - wide[3]).max() > 1e-2  # this text was cut at 24


def test_a_key_drops_and_no_key_does_not(roberta_folder):
    encoder, params = load(roberta_folder)
    ids = ids_of(encoder)
    embed = jax.jit(encoder.embed)
    first, again = (embed(params, ids, key=jax.random.key(1)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    first = np.asarray(first)
    assert np.abs(first - embed(params, ids)).max() > 1e-3
    assert np.abs(first - embed(params, ids, key=jax.random.key(2))).max() > 1e-3


def test_rows_longer_than_the_network_are_an_error(roberta_folder):
    encoder, params = load(roberta_folder)
    assert encoder.max_length == encoder.code_length == 38
    with pytest.raises(InputError, match="39 tokens a row, but the model has 38 positions"):
        encoder.embed(params, np.zeros((1, 39), np.int32))


@pytest.mark.parametrize("name", ["query_length", "code_length"])
def test_a_length_without_room_for_text_is_an_error(roberta_folder, name):
    encoder, _ = load(roberta_folder)
    specials = encoder.tokenizer.special_count
    assert getattr(dataclasses.replace(encoder, **{name: specials + 1}), name) == specials + 1
    with pytest.raises(InputError, match=rf"{name} {specials}\b.* exceed the {specials} special"):
        dataclasses.replace(encoder, **{name: specials})


def test_unit_length_has_no_gradient_at_zero():
    vectors = np.array([[0.0, 0.0], [3.0, 4.0]], np.float32)
    gradient = jax.jit(jax.grad(lambda vectors: jnp.sum(unit_length(vectors))))(vectors)
    np.testing.assert_array_equal(gradient[0], 0)
    # Of x / |x| at (3, 4), both outputs added: what of (1, 1) lies across it, over its length.
    np.testing.assert_allclose(gradient[1], [4 / 125, -3 / 125], rtol=1e-5)


def test_an_unknown_pooling_is_an_error(bert_folder):
    with pytest.raises(InputError, match=r"pooling must be one of .* got 'max'"):
        load(bert_folder, pooling="max")


@pytest.mark.parametrize("kind", ["roberta", "bert"])
def test_a_flax_model_of_transformers_as_it_is(kind, request):
    model = request.getfixturevalue(kind).stock
    folder = request.getfixturevalue(f"{kind}_folder")
    fast = load(folder)[0].tokenizer.fast
    lengths = {"query_length": 24, "code_length": 24}
    encoder, params = Encoder.from_flax(model, fast, pooling="cls", **lengths)
    ids = ids_of(encoder)
    expected = jax.jit(model)(ids, jnp.asarray(ids != encoder.tokenizer.pad_id)).last_hidden_state
    np.testing.assert_allclose(jax.jit(encoder.embed)(params, ids), expected[:, 0], atol=5e-6)
    assert np.abs(expected[0] - expected[1]).max() > 1e-2


def test_what_is_no_flax_model_of_these_is_an_error(roberta, distilbert):
    for model in (roberta.config, distilbert, object()):
        with pytest.raises(InputError, match="no Flax RoBERTa or BERT of transformers"):
            Encoder.from_flax(model, None)
