"""The losses: pure functions of embeddings and of what an estimator says of the negatives.

A tour. Three questions, three pieces of code, row i of one belonging to row i of the other:

>>> import jax
>>> import jax.numpy as jnp
>>> from softnce_jax import infonce, negative_weights, soft_infonce
>>> q = jnp.array([[3.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
>>> c = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])

Plain: every other piece of code in the batch is a negative, all of them alike.

>>> print(f"{infonce(q, c):.4f}")
0.6759

Weighted: the entries of w multiply e^score of the negatives, so that a negative which is half an
answer pushes less. Any w >= 0 works; `negative_weights` makes one from any similarity.

>>> w = negative_weights(q @ q.T, alpha=1.0, beta=1.0, temperature=5.0)
>>> print(f"{soft_infonce(q, c, w):.4f}")
0.5998

Gradients flow into q and c (and into w, if you let them):

>>> dq, dc = jax.grad(soft_infonce, argnums=(0, 1))(q, c, w)
>>> print(dq.shape, dc.shape)
(3, 2) (3, 2)

The other losses are called alike, with p (`negative_distribution`) or the similarity itself:

>>> from softnce_jax import cancel_top_k, kl_regularized, negative_distribution
>>> p = negative_distribution(q @ q.T, temperature=5.0)
>>> print(f"{kl_regularized(q, c, p, alpha=0.7, beta=1.3):.4f}")
1.0473
>>> print(f"{cancel_top_k(q, c, q @ q.T, k=1):.4f}")
0.1629

Under `jit` sharded arrays need nothing more. Under `pmap` or `shard_map` name the axis with
`axis_name`, see `soft_infonce`.
"""

from softnce_jax.losses.binary import bce
from softnce_jax.losses.cancelled import cancel_threshold, cancel_top_k
from softnce_jax.losses.duplicates import without_duplicates
from softnce_jax.losses.regularized import kl_regularized
from softnce_jax.losses.soft import infonce, soft_infonce
from softnce_jax.losses.weighted import weighted_infonce

__all__ = [
    "bce",
    "cancel_threshold",
    "cancel_top_k",
    "infonce",
    "kl_regularized",
    "soft_infonce",
    "weighted_infonce",
    "without_duplicates",
]
