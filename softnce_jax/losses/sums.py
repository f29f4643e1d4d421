"""Sums of exponentials over a row, exact at any score, and of shares of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def log1p_weighted_sum(x_BN, w_BN, negative_BN):
    """log( 1 + Σ w e^x ) over each row's negatives, x being the score above the positive's."""
    x_BN = jnp.where(negative_BN, x_BN, 0)
    w_BN = jnp.where(negative_BN, w_BN, 0)
    # log 0 = −∞: a weight of 0 sets no shift, for that would push the others below e^−88. The shift
    # is a constant: its gradient would cancel.
    log_w_BN = jnp.minimum(jnp.log(jax.lax.stop_gradient(w_BN)), 80.0)
    shift_B = jnp.max(jax.lax.stop_gradient(x_BN) + log_w_BN, axis=1, initial=0.0)
    # Only weights of 0 can lie more than 88 above it, and e^88 · 0 = 0 where e^89 · 0 = NaN.
    e_BN = jnp.exp(jnp.minimum(x_BN - shift_B[:, None], 88.0))
    # log1p, for without a shift the sum may be tiny beside 1.
    return shift_B + jnp.log1p(jnp.expm1(-shift_B) + jnp.sum(w_BN * e_BN, axis=1))


def log_sum(x_BN, mask_BN):
    """Sums log Σ e^x over each row's masked-in entries; 0 where there are none."""
    some_B = jnp.any(mask_BN, axis=1)
    x_BN = jnp.where(mask_BN, x_BN, 0)
    top_B = jnp.max(jax.lax.stop_gradient(jnp.where(mask_BN, x_BN, -jnp.inf)), axis=1)
    top_B = jnp.where(some_B, top_B, 0)
    e_BN = jnp.where(mask_BN, jnp.exp(jnp.where(mask_BN, x_BN - top_B[:, None], 0)), 0)
    return top_B + jnp.log(jnp.where(some_B, jnp.sum(e_BN, axis=1), 1))


def log_shares(x_BN, mask_BN):
    """Logarithms of x and 1 − x, the shares x = e^x_j / Σ e^x_k of its row, both (B, N).

    A share that rounds to 1 keeps its 1 − x: it is the others' share. Only a row's largest entry
    can have more than half. A row needs two masked-in entries.
    """
    x_BN = jnp.where(mask_BN, x_BN, 0)
    largest_B = jnp.argmax(jnp.where(mask_BN, x_BN, -jnp.inf), axis=1)
    largest_BN = jnp.arange(x_BN.shape[1])[None, :] == largest_B[:, None]
    below_BN = x_BN - jnp.sum(jnp.where(largest_BN, x_BN, 0), axis=1, keepdims=True)
    others_BN = mask_BN & ~largest_BN
    others_B1 = log_sum(below_BN, others_BN)[:, None]  # over the largest entry's 0
    share_BN = below_BN - jax.nn.softplus(others_B1)
    small_BN = jnp.exp(jnp.where(others_BN, share_BN, -1))  # log1p(−1) has no gradient
    rest_BN = jnp.where(largest_BN, -jax.nn.softplus(-others_B1), jnp.log1p(-small_BN))
    return share_BN, rest_BN
