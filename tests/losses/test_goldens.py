"""The published code's numbers, where they are exact, and the negatives it cancels."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softnce_jax._scores import PairScores
from softnce_jax.losses import _threshold_rows, _top_k_rows
from tests import reference
from tests.losses.table import function
from tests.shared import shared_path

NAMES = {
    "infonce": "infonce",
    "soft": "soft_infonce",
    "weighted": "weighted_infonce",
    "bce": "bce",
    "kl": "kl_regularized",
    "topk": "cancel_top_k",
    "thr": "cancel_threshold",
}
CASES = {"infonce": 4, "soft": 24, "weighted": 3, "bce": 3, "kl": 6, "topk": 8, "thr": 8}


def target_and_settings(golden, case):
    """What the loss reads beside the embeddings of a case."""
    kind = golden["case_loss"][case]
    alpha, beta, t, ratio = (
        float(golden[f"case_{name}"][case]) for name in ("alpha", "beta", "t", "ratio")
    )
    similarity = golden[f"sim_{golden['case_sim'][case]}"]
    if kind == "infonce":
        return (), {}
    if kind == "soft":
        return (reference.negative_weights(similarity, alpha=alpha, beta=beta, temperature=t),), {}
    if kind in ("topk", "thr"):
        k = int(golden["case_k"][case])
        return (similarity,), {"k": k} if kind == "topk" else {"ratio": ratio}
    p = reference.negative_distribution(similarity, temperature=t)
    return (p,), {"alpha": alpha, "beta": beta} if kind == "kl" else {}


@functools.cache
def value_and_gradients(kind, k=None):
    """Compiled once for all cases of a kind of loss; k is no array."""
    options = {} if k is None else {"k": k}

    def value(q, c, target, settings):
        return function(NAMES[kind])(q, c, *target, **settings, **options)

    return jax.jit(jax.value_and_grad(value, (0, 1)))


@pytest.mark.parametrize("kind", NAMES)
def test_losses_and_gradients(kind):
    golden = np.load(shared_path("goldens/losses_small.npz"))
    cases = np.flatnonzero(golden["case_loss"] == kind)
    # k = 7 of 7 negatives is an error here.
    cases = [case for case in cases if golden["case_k"][case] < 7]
    assert len(cases) == CASES[kind]
    for case in cases:
        scale = golden["case_scale"][case]
        targets, settings = target_and_settings(golden, case)
        step = value_and_gradients(kind, settings.pop("k", None))
        parts = (golden[f"q_{scale}"], golden[f"c_{scale}"], targets, settings)
        value, (dq, dc) = step(*jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), parts))
        # No exact ones stand beside top-k's, whose float64 ones add 1e-15 in the logarithm.
        suffix = "exact" if golden["verdict"][case] in ("exact", "eps") else "f64"
        np.testing.assert_allclose(value, golden[f"loss_{suffix}"][case], rtol=3e-6)
        np.testing.assert_allclose(dq, golden[f"gq_{suffix}"][case], rtol=1e-4, atol=2e-5)
        np.testing.assert_allclose(dc, golden[f"gc_{suffix}"][case], rtol=1e-4, atol=2e-5)


def test_cancelled_negatives():
    """The sum over a row's remaining candidates names them: candidate j adds 2^j."""
    golden, off = np.load(shared_path("goldens/losses_small.npz")), ~np.eye(8, dtype=bool)
    score = np.float32(np.log(2)) * np.tile(np.arange(8, dtype=np.float32), (8, 1))
    parts = score, np.diag(score), ~off, off, np.ones(8, bool), np.arange(8, dtype=np.int32)
    pairs = PairScores(*map(jnp.asarray, parts))
    top_k, threshold = jax.jit(_top_k_rows, static_argnames="k"), jax.jit(_threshold_rows)
    for name, keep in zip(golden["keep_name"], golden["keep"], strict=True):
        kind, sim, k, ratio = name.split("|")
        similarity = jnp.asarray(golden[f"sim_{sim}"])
        if kind == "topk":
            loss = top_k(pairs, similarity, k=int(k))
        else:
            loss = threshold(pairs, similarity, float(ratio))
        numbers = np.rint(np.exp(np.asarray(loss + pairs.positive_score_B, np.float64))).astype(int)
        expected = np.ones((8, 8), bool)
        expected[off] = keep.ravel()
        np.testing.assert_array_equal(numbers, expected @ 2 ** np.arange(8), err_msg=name)
