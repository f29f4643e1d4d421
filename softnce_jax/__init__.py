"""Soft-InfoNCE in JAX: contrastive fine-tuning in which negatives count as much as they should.

Names of arrays end in their dimensions (`score_BN`); the dimension key is

    B  queries in the global batch
    N  candidates in it, N >= B (n: one device's share)
    L  tokens of a row
    R  rows
    D  embedding
    F  estimator feature
    E  edges of a row's data flow
    M  codes in an index
    Q  evaluated queries
    G  graded candidates of a query
    V  vocabulary
"""

from softnce_jax.losses import infonce, soft_infonce
from softnce_jax.weights import negative_weights

__all__ = ["infonce", "negative_weights", "soft_infonce"]
__version__ = "0.1.0"
