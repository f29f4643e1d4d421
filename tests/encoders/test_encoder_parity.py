"""The published PyTorch forward passes, written again on transformers' torch modules.

Vectors and the gradients of every parameter agree to 1e-5.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import transformers
from transformers import RobertaConfig

from softnce_jax.dataflow.example import Specials, make_example
from softnce_jax.dataflow.extract import Extractor
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.roberta import RobertaModule
from softnce_jax.pretrained.convert import to_published
from softnce_jax.pretrained.load import load
from tests.dataflow.toy import pieces
from tests.encoders.test_graph import TOY, slow_mask
from tests.rows import padded_rows, row_vectors
from tests.stock_models import SIZES, TEXTS, checkpoint, torch_twin

pytestmark = pytest.mark.interop

L = 64
CODES = {
    "python": "def gcd(a, b):\n    while b:\n        a, b = b, a % b\n    return a",
    "go": "func add(a, b int) int { var c = a + b; return c }",
    "ruby": "def twice(x)\n  x * 2\nend",
}


@pytest.fixture(scope="module")
def model():
    """A random RoBERTa of plausible scale."""
    sizes = SIZES | {"max_position_embeddings": L + 2, "initializer_range": 0.1}
    return checkpoint(RobertaConfig(vocab_size=1000, layer_norm_eps=1e-5, **sizes))


@pytest.fixture
def twin(model, torch):
    """The same in torch."""
    return torch_twin(torch, model, attn_implementation="eager")


def examples():
    """Functions as rows: some with room left, one whose code is cut."""
    rows = []
    for language, code in CODES.items():
        tokens, edges, _ = Extractor(language)(code)
        ids = pieces(tokens[:1], after_space=False) + pieces(tokens[1:], after_space=True)
        for code_length, flow_length in ((48, 16), (20, 4)):
            lengths = {"code_length": code_length, "flow_length": flow_length}
            rows.append(make_example(ids, edges, Specials([0], [2], 3), **lengths))
    return rows


def ours(embed, params, rows):
    """Vectors of rows of 16 dimensions, the u of Σ v·u, and its gradient."""
    random = np.random.default_rng(5)
    u_RD = random.normal(size=(rows, 16)).astype(np.float32) / (rows * 16)

    def total(params):
        vectors = embed(params)
        return jnp.sum(vectors * u_RD), vectors

    gradient, vectors = jax.jit(jax.grad(total, has_aux=True))(params)
    return np.asarray(vectors), u_RD, gradient


def compare(vectors, u_RD, gradient, twin, forward, torch):
    """Largest differences of vectors, and of gradients, over all parameters."""
    expected = forward()
    torch.sum(expected * torch.tensor(u_RD)).backward()
    found, worst, size = to_published(gradient), 0.0, 0.0
    for name, parameter in twin.named_parameters():
        theirs = np.zeros(parameter.shape) if parameter.grad is None else parameter.grad.numpy()
        worst = max(worst, np.abs(found.pop(name) - theirs).max())
        size = max(size, np.abs(theirs).max())
    assert not [name for name in found if "position_ids" not in name]
    assert size > 1e-2
    return np.abs(vectors - expected.detach().numpy()).max(), worst


def padded(lengths):
    random = np.random.default_rng(3)
    ids = np.where(np.arange(L) < lengths[:, None], random.integers(5, 900, (len(lengths), L)), 1)
    ids[:, 0], ids[np.arange(len(lengths)), lengths - 1] = 0, 2
    return ids


def bound(model, pooling, **settings):
    lengths = {"query_length": L, "code_length": L} | settings
    return Encoder(RobertaModule(model.config), TOY, pooling, **lengths)


@pytest.mark.parametrize("kind", ["codebert", "unixcoder"])
def test_text_encoders(kind, model, twin, torch):
    ids = padded(np.array([L, 9, 30, 2]))

    def forward(with_mask=True):
        given, seen = torch.tensor(ids), torch.tensor(ids != 1)
        found = twin(given, attention_mask=seen.long() if with_mask else None)
        if kind == "codebert":
            return found.pooler_output
        states = found.last_hidden_state * seen[:, :, None]
        return states.sum(1) / seen.sum(1)[:, None]

    encoder = bound(model, "pooler" if kind == "codebert" else "mean")

    found = ours(lambda params: encoder.embed(params, ids), model.params, len(ids))
    vectors, gradients = compare(*found, twin, forward, torch)
    assert vectors < 1e-5 and gradients < 1e-5
    twin.zero_grad()
    assert compare(*found, twin, lambda: forward(False), torch)[0] > 1e-3


def test_graphcodebert(model, twin, torch):
    cases = examples()
    rows = padded_rows(cases, L, edges=64)
    masks = torch.tensor(np.stack([slow_mask(example, L) for example in cases]))
    position_ids = np.full((len(cases), L), 1)
    for row, example in enumerate(cases):
        tokens = len(example) - len(example.spans)
        position_ids[row, :tokens] = np.arange(2, 2 + tokens)
        position_ids[row, tokens : len(example)] = 0

    def forward(averaged=True):
        positions = torch.tensor(position_ids)
        words = twin.embeddings.word_embeddings(torch.tensor(rows.ids[0]).long())
        is_node, is_token = positions.eq(0), positions.ge(2)
        seen = (is_node[:, :, None] & is_token[:, None, :] & masks).float()
        mean = torch.einsum("abc,acd->abd", seen / (seen.sum(-1) + 1e-10)[:, :, None], words)
        mixed = torch.where(is_node[:, :, None], mean, words) if averaged else words
        mask = masks
        if transformers.__version__ >= "5":  # takes what is added to the scores, of every head
            mask = torch.where(masks, 0.0, torch.finfo(mixed.dtype).min)[:, None]
        found = twin(inputs_embeds=mixed, attention_mask=mask, position_ids=positions)
        return found.pooler_output

    encoder = bound(model, "pooler", code_length=48, dataflow="published", flow_length=16)

    found = ours(lambda params: row_vectors(encoder, params, rows), model.params, len(cases))
    vectors, gradients = compare(*found, twin, forward, torch)
    assert vectors < 1e-5 and gradients < 1e-5
    twin.zero_grad()
    assert compare(*found, twin, lambda: forward(False), torch)[0] > 1e-4


def test_unixcoder_puts_its_prefix_before_every_text(roberta_folder):
    encoder, _ = load(roberta_folder)
    fast = encoder.tokenizer.fast
    words = [fast.convert_ids_to_tokens(ids) for ids in encoder.tokenizer.tokenize(TEXTS, 24)]
    assert all(row[:3] == ["<s>", "<encoder-only>", "</s>"] for row in words)
    assert all(row[-1] == "</s>" and len(row) >= 4 for row in words)
    assert dataclasses.replace(encoder, pooling="cls").pooling != encoder.pooling == "mean"
