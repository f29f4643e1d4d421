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
# Where they are, the first three modules first: those need jax alone, the others what [train] has.
_MODULES = (
    "losses",
    "weights",
    "blockwise",
    "estimators.bm25",
    "retrieval.metrics",
    "retrieval.ranking",
    "encoders.encoder",
    "encoders.text_encoder",
    "pretrained.load",
)
_WITHOUT_JAX = {"load_static": "pretrained.static"}  # looked up before any of those


if not TYPE_CHECKING:  # a type checker would take any name for one of the module's

    def __getattr__(name: str):
        """A public name, imported when asked for: processes that load data need no jax."""
        if name in __all__:
            home = _WITHOUT_JAX.get(name)
            for module_name in (home,) if home else _MODULES:
                module = importlib.import_module(f"{__name__}.{module_name}")
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
