"""The files that ir_measures reads, to the numbers that we report."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest

from softnce_jax.retrieval.metrics import per_query, summarize
from softnce_jax.retrieval.qrels import falling, measures, write_qrels, write_run
from softnce_jax.retrieval.ranking import top_candidates, vector_ranks

QUERY_IDS = [f"q{i}" for i in range(40)]
URLS = [f"https://example.org/a b/größe#L{i}" for i in range(300)]


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    q, c = (random.normal(size=(n, 12)).astype(np.float32) for n in (40, 300))
    relevant = np.stack([random.permutation(300)[:4] for _ in range(40)]).astype(np.int32)
    relevant[::3, 2:] = -1
    q += c[relevant[:, 0]] * random.random((40, 1)).astype(np.float32)
    return q, c, relevant, np.where(relevant >= 0, [[3, 1, 1, 1]], 0)


def read(tmp_path, data, *, k, ids=URLS):
    q, c, relevant, grade = data
    write_qrels(tmp_path / "qrels", QUERY_IDS, ids, relevant, grade)
    write_run(tmp_path / "run", QUERY_IDS, ids, *top_candidates(q, c, k), name="my model")
    qrels = list(ir_measures.read_trec_qrels(str(tmp_path / "qrels")))
    run = list(ir_measures.read_trec_run(str(tmp_path / "run")))
    return qrels, run


def test_ir_measures_reads_our_numbers(tmp_path, data):
    qrels, run = read(tmp_path, data, k=1000)
    assert len(qrels) == (data[2] >= 0).sum() and len(run) == 40 * 300
    ours = summarize(per_query(vector_ranks(*data)))
    names = {ours: ir_measures.parse_measure(theirs) for ours, theirs in measures(3).items()}
    theirs = ir_measures.calc_aggregate(names.values(), qrels, run)
    for name, measure in names.items():
        assert theirs[measure] == pytest.approx(ours[name]["value"], abs=1e-9), name
    assert 0.05 < ours["mrr@1000"]["value"] < 0.95
    other = ir_measures.parse_measure("RR(rel=1)@1000")
    assert ir_measures.calc_aggregate([other], qrels, run)[other] != theirs[names["mrr@1000"]]


def test_every_query_agrees(tmp_path, data):
    qrels, run = read(tmp_path, data, k=1000)
    ours = per_query(vector_ranks(*data))
    for name, theirs in measures(3).items():
        found = {
            metric.query_id: metric.value
            for metric in ir_measures.iter_calc([ir_measures.parse_measure(theirs)], qrels, run)
        }
        np.testing.assert_allclose([found[i] for i in QUERY_IDS], ours[name], atol=1e-9)


def test_ties_stay_in_the_written_order_and_between_the_bounds(tmp_path, data):
    q, c, relevant, grade = data
    c = c.copy()
    c[150:] = c[:150]
    tied = (q, c, relevant, grade)
    qrels, run = read(tmp_path, tied, k=1000)
    ours = summarize(per_query(vector_ranks(*tied)))
    measure = ir_measures.parse_measure(measures(3)["mrr@1000"])
    theirs = ir_measures.calc_aggregate([measure], qrels, run)[measure]
    assert ours["mrr_worst"]["value"] < theirs < ours["mrr_best"]["value"]
    by_query = {}
    for row in run:
        by_query.setdefault(row.query_id, []).append(np.float32(row.score))
    assert all((np.diff(scores) < 0).all() for scores in by_query.values())


def test_ids_hold_no_space_and_differ(tmp_path, data):
    read(tmp_path, data, k=2)
    for name, fields in (("qrels", 4), ("run", 6)):
        lines = (tmp_path / name).read_text(encoding="ascii").splitlines()
        assert {len(line.split(" ")) for line in lines} == {fields}
    assert lines[0].split(" ")[-1] == "my%20model"
    assert lines[0].split(" ")[2].startswith("https://example.org/a%20b/gr%C3%B6%C3%9Fe#L")
    assert [line.split(" ")[3] for line in lines[:4]] == ["1", "2", "1", "2"]


def test_scores_fall_from_zero_too():
    found = falling(np.zeros((1, 5)))
    assert found.dtype == np.float32 and (np.diff(found) < 0).all()
    written = [np.float32(f"{score:.9g}") for score in found[0]]
    np.testing.assert_array_equal(written, found[0])
    spread = np.array([[3.0, 2.0, 1.0]])
    np.testing.assert_array_equal(falling(spread), spread)


def test_bad_input_is_named(tmp_path, data):
    _, _, relevant, grade = data
    path = tmp_path / "x"
    with pytest.raises(ValueError, match="300 candidate ids have 299 values"):
        write_qrels(path, QUERY_IDS, [*URLS[:-1], URLS[0]], relevant, grade)
    with pytest.raises(ValueError, match="query id 0 of 40 is empty"):
        write_qrels(path, ["", *QUERY_IDS[1:]], URLS, relevant, grade)
    with pytest.raises(ValueError, match="39 query ids for 40 rows"):
        write_qrels(path, QUERY_IDS[1:], URLS, relevant, grade)
    with pytest.raises(ValueError, match="scores that rise"):
        write_run(path, ["q"], URLS, np.array([[0, 1]]), np.array([[0.0, 1.0]]), name="m")
    assert not path.exists()
