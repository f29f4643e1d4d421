"""Attention against a slow loop; the fused kernel by what it is given and where it is taken."""

from __future__ import annotations

import math
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from transformers import RobertaConfig

from softnce_jax.encoders import attention
from softnce_jax.encoders.attention import _agrees, _fused, _reference, attend, attention_bias
from softnce_jax.encoders.dropout import Dropout
from softnce_jax.encoders.roberta import RobertaModule

R, L, H, D = 2, 6, 2, 8
RANDOM = np.random.default_rng(0)
QUERY, KEY, VALUE = RANDOM.normal(size=(3, R, L, H, D))
# Two texts in the first row; in the second one text, and two positions that attend to nothing.
TEXT = np.array([[0, 0, 0, 0, 1, 1], [2, 2, 2, 2, -1, -1]])
MASK = (TEXT[:, :, None] == TEXT[:, None]) & (TEXT[:, None] >= 0)
BIAS = attention_bias(jnp.array(MASK), jnp.float32)
KERNELS = {"__cudnn$fmhaScaleBiasSoftmax", "__cudnn$fmhaScaleBiasSoftmaxBackward"}


def by_loops(seen=MASK):
    """Every weight in float64; a position that attends to nothing gets the mean of its row."""
    mixed = np.zeros((R, L, H, D))
    for row, at, head in np.ndindex(R, L, H):
        others = np.flatnonzero(seen[row, at])
        scores = [QUERY[row, at, head] @ KEY[row, j, head] for j in others]
        weights = np.exp(np.array(scores) / math.sqrt(D))
        if not len(others):
            others, weights = range(L), np.ones(L)
        for j, weight in zip(others, weights / weights.sum(), strict=True):
            mixed[row, at, head] += weight * VALUE[row, j, head]
    return mixed


def given():
    return [x.astype(np.float32) for x in (QUERY, KEY, VALUE)]


def test_is_the_loop():
    mixed = np.asarray(jax.jit(attend)(*given(), BIAS))
    np.testing.assert_allclose(mixed, by_loops(), atol=1e-6)
    # The control: without the mask it is not.
    assert np.abs(mixed - by_loops(np.ones_like(MASK))).max() > 0.1


@pytest.fixture
def compiled_reference(monkeypatch):
    """What `_agrees` compares with, compiled as a whole: the same numbers, in less time."""
    monkeypatch.setattr(attention, "_reference", jax.jit(_reference))


def test_the_kernel_gets_what_it_needs(compiled_reference):
    """The same call of jax's function, jax's own reference instead of the kernel."""
    xla = jax.jit(partial(_fused, implementation="xla"))
    np.testing.assert_allclose(xla(*given(), BIAS), by_loops(), atol=1e-6)
    assert _agrees(xla, "bfloat16", 64)
    padded = attention_bias(jnp.array(TEXT >= 0), jnp.float32)
    expected = jax.jit(_reference)(*given(), padded)
    np.testing.assert_allclose(xla(*given(), padded), expected, atol=1e-6)


def unmasked(query, key, value, _):
    return _fused(query, key, value, jnp.zeros_like(BIAS[:, :, :1, :1]), "xla")


def wrong_gradient(*arrays):
    mixed = _reference(*arrays)
    return 2 * mixed - jax.lax.stop_gradient(mixed)


def broken(*_):
    raise RuntimeError("cuDNN is not detected.")


@pytest.mark.parametrize(
    ("kernel", "why"),
    [
        (unmasked, "numbers are off"),
        (wrong_gradient, "numbers are off"),
        (lambda *arrays: _reference(*arrays) * jnp.nan, "off by nan"),
        (broken, "not detected"),
    ],
)
def test_a_kernel_that_does_not_work_is_not_taken(kernel, why, compiled_reference):
    with pytest.warns(UserWarning, match=f"kernel is not used: .*{why}"):
        assert not _agrees(jax.jit(kernel), "bfloat16", 64)


@pytest.fixture
def cuda(monkeypatch):
    """As on a GPU, up to running: jax lowers for CUDA, and believes in a cuDNN."""
    from jax._src.cudnn import fused_attention_stablehlo as cudnn

    monkeypatch.setattr(attention, "_kernel_works", lambda dtype, size: True)
    monkeypatch.setattr(cudnn, "check_cudnn_version", lambda: 91000)
    monkeypatch.setattr(cudnn, "check_compute_capability", lambda capability: True)


def kernels(dtype="bfloat16", length=64, size=64, kind="off", platform="cuda", remat=False):
    """The kernels in the compiled-for-a-platform program of values and gradients."""
    config = RobertaConfig(
        vocab_size=9, hidden_size=2 * size, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=8, attention_probs_dropout_prob=0.1,
    )  # fmt: skip
    module = RobertaModule(config, dtype, remat, attention_dropout=kind)
    ids, mask = jnp.ones((2, length), int), jnp.ones((2, length, length), bool)
    positions = jnp.zeros((2, length), int)
    params = jax.eval_shape(module.init, jax.random.key(0), ids, mask, positions)

    def total(params):
        dropout = Dropout.of(jax.random.key(0), ids, positions)
        return module.apply(params, ids, mask, positions, dropout=dropout).astype("float32").sum()

    lowered = jax.jit(jax.grad(total)).trace(params).lower(lowering_platforms=(platform,))
    return set(re.findall(r"custom_call @(__cudnn\$\w+)\(", lowered.as_text()))


@pytest.mark.parametrize("remat", [False, True])
def test_half_precision_without_dropout_runs_the_kernel_on_cuda(cuda, remat):
    assert kernels(remat=remat) == KERNELS


@pytest.mark.parametrize(
    "changed",
    [
        {"dtype": "float32"},
        {"kind": "shared"},
        {"kind": "elementwise"},
        {"length": 63},
        {"size": 20},
        {"size": 136},
        {"platform": "cpu"},
    ],
)
def test_nothing_else_does(cuda, changed):
    assert kernels(**changed) == set()


def test_without_a_gpu_nothing_is_tried():
    assert not attention._kernel_works("bfloat16", 64)
    assert kernels() == set()


def test_other_masks_are_an_error():
    with pytest.raises(ValueError, match="got 4 dimensions"):
        attention_bias(jnp.ones((1, 1, 2, 2), bool), jnp.float32)
