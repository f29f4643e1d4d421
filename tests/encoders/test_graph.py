"""Masks and node embeddings against slow loops, the published arrays and the published encoder."""

from __future__ import annotations

import json
from functools import cache, partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from transformers import RobertaConfig

from softnce_jax.dataflow.example import Example
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.graph import graph_mask, node_words
from softnce_jax.encoders.prompts import NO_PROMPTS
from softnce_jax.encoders.roberta import RobertaModule
from tests.dataflow.toy import example_of, golden_cases
from tests.rows import padded_rows, row_vectors
from tests.shared import shared_path

L = 184  # of the longest golden
TOY = SimpleNamespace(
    pad_id=1,
    first_position=2,
    head=[0],
    tail=[2],
    special_count=2,
    vocab_size=1000,
    prompts=NO_PROMPTS,
)


def slow_mask(example, length):
    """The rules of the mask, position by position."""
    mask = np.zeros((length, length), bool)
    tokens = len(example) - len(example.spans)
    for i in range(tokens):
        for j in range(tokens):
            mask[i, j] = True
        if example.ids[i] in (0, 2):
            mask[i, : len(example)] = True
    for node, (a, b) in enumerate(example.spans, start=tokens):
        for piece in range(a, b):
            mask[node, piece] = mask[piece, node] = True
    for node, parent in example.edges:
        mask[node, parent] = True
    return mask


def mask_arguments(rows):
    """What graph_mask takes, for rows of one text."""
    ids, spans, edges = (x[0] for x in (rows.ids, rows.spans, rows.edges))
    is_token = (ids != 1) & (spans[..., 0] < 0)
    return spans, edges, is_token, is_token & ((ids == 0) | (ids == 2))


def golden_rows():
    """The goldens' conversions as rows of one length: cases, arrays, examples, rows."""
    cases, goldens = zip(*golden_cases(), strict=True)
    examples = [example_of(case) for case in cases]
    return cases, goldens, examples, padded_rows(examples, L, edges=256)


def test_masks_are_the_published_ones_and_the_slow_ones():
    _, goldens, examples, rows = golden_rows()
    make = jax.jit(graph_mask)
    masks = np.asarray(make(*mask_arguments(rows)))
    for mask, golden, example in zip(masks, goldens, examples, strict=True):
        padding = (0, L - len(golden["code_ids"]))
        np.testing.assert_array_equal(mask, slow_mask(example, L))
        np.testing.assert_array_equal(mask, np.pad(golden["attn_mask"], padding))
    # The control: without edges between nodes it is another mask.
    none = rows._replace(edges=np.full_like(rows.edges, L))
    assert (np.asarray(make(*mask_arguments(none))) != masks).any(axis=(1, 2)).sum() > 15


def test_node_words_are_means_of_pieces():
    golden = np.load(shared_path("goldens/pooling.npz"))
    ids, positions = golden["gcb_code_ids"], golden["gcb_position_idx"]
    spans = np.full((*ids.shape, 2), -1)
    for row, column in zip(*np.nonzero(positions == 0), strict=True):
        seen = np.nonzero(golden["gcb_attn_mask"][row, column] & (positions[row] >= 2))[0]
        spans[row, column] = (seen[0], seen[-1] + 1) if len(seen) else (0, 0)
    words = golden["gcb_word_emb"][ids].astype(np.float32)
    found = np.asarray(jax.jit(node_words)(words, spans))
    np.testing.assert_allclose(found, golden["gcb_inputs_embeds_f64"], atol=1e-6)
    assert np.abs(found - golden["gcb_word_emb"][ids]).max() > 0.1


@cache
def published():
    """The encoder and parameters of dfg_forward.npz, its arrays, and the encoder's program."""
    arrays = np.load(shared_path("goldens/dfg_forward.npz"))
    params: dict = {}
    for name in arrays:
        if name.startswith("params/"):
            *path, leaf = name.split("/")[1:]
            node = params
            for key in path:
                node = node.setdefault(key, {})
            node[leaf] = arrays[name]
    config = RobertaConfig(**json.loads(str(arrays["config"])))
    encoder = encoder_of(RobertaModule(config))
    return encoder, params, arrays, jax.jit(partial(row_vectors, encoder))


def encoder_of(module, pooling="pooler"):
    return Encoder(module, TOY, pooling, query_length=16, code_length=120, flow_length=64)


def test_vectors_are_the_published_ones():
    encoder, params, arrays, embed = published()
    cases, goldens, examples, rows = golden_rows()
    vectors = np.array(embed(params, rows))
    as_tokens = np.asarray(embed(params, rows._replace(spans=None, edges=None)))
    ids = np.stack([golden["nl_ids"] for golden in goldens])
    queries = np.asarray(jax.jit(encoder.embed)(params, ids))
    for row, (case, golden) in enumerate(zip(cases, goldens, strict=True)):
        if case["rows_fully_masked_among_nodes"]:
            # A node that attends to nothing averages over the row, so the row's length matters.
            exact = padded_rows([examples[row]], len(golden["code_ids"]), edges=64)
            vectors[row] = embed(params, exact)[0]
        expected = arrays[f"code_vec/{case['key']}"]
        np.testing.assert_allclose(vectors[row], expected, atol=1e-5)
        np.testing.assert_allclose(queries[row], arrays[f"nl_vec/{case['key']}"], atol=1e-5)
        if case["nodes"]:  # the control: nodes as plain tokens
            assert np.abs(as_tokens[row] - expected).max() > 1e-4


def test_rows_do_not_depend_on_their_padding():
    _, params, _, embed = published()
    case, _ = next(golden_cases())
    rows = [padded_rows([example_of(case)], n, edges=e) for n, e in ((48, 64), (80, 256))]
    narrow, wide = (embed(params, row) for row in rows)
    np.testing.assert_allclose(narrow, wide, atol=1e-6)


@cache
def row_with_a_node():
    """A row whose node only the special tokens attend to, and which attends to nothing; states."""
    encoder, params, *_ = published()
    example = Example(np.array([0, 5, 6, 2, 3]), np.zeros((1, 2), int), np.zeros((0, 2), int))
    rows = padded_rows([example], 6, edges=1)
    words = params["embeddings"]["word_embeddings"]["embedding"][rows.ids[0]]
    words[0, 4] = 0.0
    position_ids = np.array([[2, 3, 4, 5, 0, 1]])
    mask = jax.jit(graph_mask)(*mask_arguments(rows))
    states = jax.jit(encoder.states)(params, rows.ids[0], mask, position_ids, inputs_embeds=words)
    return rows, np.asarray(states)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_nodes_are_not_pooled(pooling):
    encoder, params, *_ = published()
    rows, states = row_with_a_node()
    found = jax.jit(partial(row_vectors, encoder_of(encoder.module, pooling)))(params, rows)
    expected = states[:, :4].mean(axis=1) if pooling == "mean" else states[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_half_precision_is_finite():
    encoder, params, _, embed = published()
    half = encoder_of(encoder.module.clone(dtype=jnp.bfloat16))
    case, _ = next(golden_cases())
    rows = padded_rows([example_of(case)], 48, edges=64)
    exact = np.asarray(embed(params, rows))
    found = np.asarray(jax.jit(partial(row_vectors, half))(params, rows))
    assert found.dtype == np.float32 and 0 < np.abs(found - exact).max() < 0.1
