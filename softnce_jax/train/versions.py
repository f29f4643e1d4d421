"""The versions that a result depends on, beside its code."""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGES = ("softnce_jax", "jax", "flax", "optax", "orbax-checkpoint", "grain", "transformers")


def versions() -> dict[str, str]:
    """Python's and the packages' versions, by name."""
    return {"python": platform.python_version()} | {p: metadata.version(p) for p in PACKAGES}
