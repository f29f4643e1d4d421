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
    C  candidates found for a query
    K  hard negatives of a query
    P  queries that one function answers
    V  vocabulary
    T  texts
    S  slots of a packed row, one for each of its texts
    H  heads

In `packing.py` and what reads its rows G are groups and P positions; in `train/step.py` K are
slices.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from softnce_jax.blockwise import blockwise_soft_infonce
    from softnce_jax.encoders.encoder import Encoder
    from softnce_jax.encoders.text_encoder import TextEncoder
    from softnce_jax.estimators.bm25 import bm25_features
    from softnce_jax.losses import (
        bce,
        cancel_threshold,
        cancel_top_k,
        infonce,
        kl_regularized,
        soft_infonce,
        weighted_infonce,
        without_duplicates,
    )
    from softnce_jax.pretrained.load import load_encoder
    from softnce_jax.pretrained.static import load_static
    from softnce_jax.retrieval.metrics import mrr
    from softnce_jax.retrieval.ranking import rank
    from softnce_jax.weights import negative_distribution, negative_weights, weight_diagnostics

__all__ = [
    "Encoder",
    "TextEncoder",
    "bce",
    "blockwise_soft_infonce",
    "bm25_features",
    "cancel_threshold",
    "cancel_top_k",
    "infonce",
    "kl_regularized",
    "load_encoder",
    "load_static",
    "mrr",
    "negative_distribution",
    "negative_weights",
    "rank",
    "soft_infonce",
    "weight_diagnostics",
    "weighted_infonce",
    "without_duplicates",
]
__version__ = "0.1.0"
# Where names are, but for those of losses. Only the module that defines a name is imported, so that
# the loss needs jax alone and `load_static` all but jax.
_MODULES = {
    "Encoder": "encoders.encoder",
    "TextEncoder": "encoders.text_encoder",
    "blockwise_soft_infonce": "blockwise",
    "bm25_features": "estimators.bm25",
    "load_encoder": "pretrained.load",
    "load_static": "pretrained.static",
    "mrr": "retrieval.metrics",
    "negative_distribution": "weights",
    "negative_weights": "weights",
    "rank": "retrieval.ranking",
    "weight_diagnostics": "weights",
}


if not TYPE_CHECKING:  # a type checker would take any name for one of the module's

    def __getattr__(name: str):
        """A public name, imported when asked for: processes that load data need no jax."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f"{__name__}.{_MODULES.get(name, 'losses')}")
        return getattr(module, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
