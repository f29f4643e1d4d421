"""queries.npz holds every query's metrics, and no pickle."""

from __future__ import annotations

import numpy as np

from softnce_jax.data.sample import load_sample
from softnce_jax.retrieval.per_query import QueryScores, query_hashes, read_queries, write_queries


def test_what_is_written_is_read(tmp_path):
    pairs = load_sample("go").test[:3]
    values = {"go": {"BM25": {"mrr": np.array([1.0, 0.5, 0.25])}, "trained": {"mrr": np.ones(3)}}}
    write_queries(tmp_path, QueryScores(values, {"go": query_hashes(pairs)}))
    found = read_queries(tmp_path)
    np.testing.assert_array_equal(found.values["go"]["BM25"]["mrr"], values["go"]["BM25"]["mrr"])
    assert found.values["go"].keys() == {"BM25", "trained"}
    assert found.hashes["go"].keys() == {"query", "family"}
    assert [path.name for path in tmp_path.iterdir()] == ["queries.npz"]


def test_hashes_tell_queries_and_families_apart():
    go, ruby = (query_hashes(load_sample(language).test) for language in ("go", "ruby"))
    np.testing.assert_array_equal(go["query"], ruby["query"])
    assert len(set(go["query"])) == 48
    # Each stands where its query's metrics do.
    pairs = load_sample("go").test
    assert [query_hashes([pair])["query"][0] for pair in pairs] == go["query"].tolist()
    families = [pair.family for pair in load_sample("go").test]
    assert len(set(go["family"])) == len(set(families))
    assert (go["family"][0] == go["family"]).tolist() == [f == families[0] for f in families]
