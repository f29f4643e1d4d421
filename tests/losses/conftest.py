"""Strict promotion: nothing in the losses widens or narrows a number unsaid."""

from __future__ import annotations

import jax
import pytest


@pytest.fixture(autouse=True)
def strict_promotion():
    with jax.numpy_dtype_promotion("strict"):
        yield
