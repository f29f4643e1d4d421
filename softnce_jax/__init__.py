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
    from softnce_jax.weights import negative_distribution, negative_weights, weight_diagnostics

__all__ = [
    "bce",
    "blockwise_soft_infonce",
    "cancel_threshold",
    "cancel_top_k",
    "infonce",
    "kl_regularized",
    "negative_distribution",
    "negative_weights",
    "soft_infonce",
    "weight_diagnostics",
    "weighted_infonce",
    "without_duplicates",
]
__version__ = "0.1.0"


if not TYPE_CHECKING:  # a type checker would take any name for one of the module's

    def __getattr__(name: str):
        """A public function, imported when asked for: processes that load data need no jax."""
        if name in __all__:
            for module_name in ("losses", "weights", "blockwise"):
                module = importlib.import_module(f"{__name__}.{module_name}")
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
