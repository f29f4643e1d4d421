"""Two model folders, and texts for them."""

from __future__ import annotations

import pytest

from softnce_jax.data.corpus import Pair
from tests.small_model import write_model

QUERIES = ["sort a list", "read the lines of a file", "add", "sort a list", "a b c " * 40]
CODES = [f"def f{i}(x): return x + {i} * {'y' * i}" for i in range(5)]


def pairs(queries, codes):
    """Pairs of these texts."""
    rows = zip(queries, codes, strict=True)
    return [Pair(query, code, str(n), "python") for n, (query, code) in enumerate(rows)]


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """An encoder whose vectors have any length."""
    return write_model(tmp_path_factory.mktemp("one") / "model", [*QUERIES, *CODES])


@pytest.fixture(scope="session")
def other_folder(tmp_path_factory):
    """Other parameters, vectors of unit length, shorter queries."""
    folder = tmp_path_factory.mktemp("other") / "model"
    return write_model(folder, [*QUERIES, *CODES], seed=1, normalize=True, query_length=6)
