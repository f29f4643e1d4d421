"""queries.npz holds every query's metrics, and no pickle."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest

from softnce_jax.data.sample import load_sample
from softnce_jax.errors import InputError
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


def arrays(**more):
    """What queries.npz holds of two queries in Go."""
    hashes = np.array(["0" * 16, "1" * 16], "S16")
    given = {"go/trained/mrr": np.ones(2), "go//query": hashes, "go//family": hashes}
    return {key: value for key, value in (given | more).items() if value is not None}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"go/trained/mrr": np.ones((2, 2))}, "go/trained/mrr is float64"),
        ({"go/trained/mrr": np.array(["a", "b"])}, "go/trained/mrr is <U1"),
        ({"go/trained/mrr": np.ones(3)}, "different numbers of queries"),
        ({"go/trained/mrr": np.array([{}, {}])}, "not a whole .npz of arrays"),
        ({"go/trained/mrr": np.array([0.5, np.nan])}, "go/trained/mrr has numbers that are no"),
        ({"go/trained/mrr": np.array([0.5, np.inf])}, "go/trained/mrr has numbers that are no"),
        ({"go/trained/mrr": np.array([-0.1, 1.0])}, "go/trained/mrr has numbers that are no"),
        ({"go/trained/mrr": None}, "no metrics of queries"),
        ({"go//query": np.ones(2)}, "go//query is float64"),
        ({"go//family": None}, "go//family are missing"),
        ({"go/mrr": np.ones(2)}, "'go/mrr' is not the name"),
        ({"//": np.ones(2)}, "'//' is not the name"),
    ],
)
def test_other_arrays_are_named(more, message, tmp_path):
    np.savez(tmp_path / "queries.npz", **arrays())
    assert read_queries(tmp_path).values["go"]["trained"]["mrr"].tolist() == [1, 1]  # the control
    np.savez(tmp_path / "queries.npz", **arrays(**more))
    with pytest.raises(InputError, match=f"queries.npz: .*{message}") as caught:
        read_queries(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_of_queries_is_one_line(tmp_path):
    path = tmp_path / "queries.npz"
    np.savez_compressed(path, **arrays())
    whole = path.read_bytes()
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        huge, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)}
    )
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as file:
        file.writestr("go/trained/mrr.npy", huge.getvalue())
    damaged = [b"", b"garbage", pickle.dumps({}), whole[:-9], (tmp_path / "huge.npz").read_bytes()]
    middle = len(whole) // 3
    damaged.append(whole[:middle] + bytes(9) + whole[middle + 9 :])
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"{path}: ") as caught:
            read_queries(tmp_path)
        assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(InputError, match=r"not a whole \.npz"):
        read_queries(tmp_path)
