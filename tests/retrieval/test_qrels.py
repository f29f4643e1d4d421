"""nDCG against grades, by the benchmark's own procedure as a slow loop; the files it reads.

And the files that ir_measures reads, to the numbers that we report.
"""

from __future__ import annotations

import json
import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softnce_jax.data.corpus import Candidate, RowErrors
from softnce_jax.errors import InputError
from softnce_jax.retrieval.metrics import query_metrics, summarize
from softnce_jax.retrieval.qrels import (
    Qrels,
    _strictly_falling,
    graded_candidates,
    graded_ndcg,
    measures,
    read_qrels,
    write_qrels,
    write_run,
)
from softnce_jax.retrieval.ranking import top_candidates, vector_ranks
from tests.data.hostile import bounded, files, lines, only_input_errors, texts


def slow_ndcg(ranking: list[str], grades: dict[str, float], *, count_all: bool) -> float:
    """Walks down a ranking of urls, as the benchmark does with a list of predictions."""
    total, rank = 0.0, 1
    for url in ranking[:300]:
        if url in grades:
            total += (2 ** grades[url] - 1) / math.log2(rank + 1)
        if url in grades or count_all:
            rank += 1
    best = sorted(grades.values(), reverse=True)
    return total / sum((2**g - 1) / math.log2(i + 2) for i, g in enumerate(best))


def test_agrees_with_the_slow_loop():
    random = np.random.default_rng(0)
    urls = [f"u{n}" for n in range(500)]
    candidates = [Candidate("code", url, "go") for url in urls]
    grades, rankings = [], []
    for _ in range(20):
        chosen = random.choice(520, size=int(random.integers(1, 40)), replace=False)
        grades.append({f"u{n}": float(random.choice([0, 0.5, 1, 2, 3])) for n in chosen})
        grades[-1][f"u{chosen[0]}"] = 2.0
        rankings.append([urls[n] for n in random.permutation(500)])
    graded_QG, grade_QG = graded_candidates(Qrels(["q"] * 20, grades), candidates)
    rank_QG = np.zeros(graded_QG.shape)
    for q, ranking in enumerate(rankings):
        rank_of = {url: rank for rank, url in enumerate(ranking, start=1)}
        for g, url in enumerate(grades[q]):
            rank_QG[q, g] = rank_of.get(url, 0)
    found = graded_ndcg(rank_QG, grade_QG)
    for name, count_all in (("ndcg_judged", False), ("ndcg_all", True)):
        slow = [slow_ndcg(r, g, count_all=count_all) for r, g in zip(rankings, grades, strict=True)]
        np.testing.assert_allclose(found[name], slow, rtol=1e-12)
    assert np.all(found["ndcg_judged"] >= found["ndcg_all"])
    assert np.abs(found["ndcg_judged"] - found["ndcg_all"]).max() > 0.1


def test_cut_ties_and_absent_functions():
    beyond = graded_ndcg(np.array([[301, 0]]), np.array([[3.0, 1.0]]))
    assert beyond["ndcg_judged"] == beyond["ndcg_all"] == 0
    tied = graded_ndcg(np.array([[1.5, 1.5]]), np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(tied["ndcg_judged"], 1 / math.log2(2.5))
    absent = graded_ndcg(np.array([[1, 0]]), np.array([[1.0, 1.0]]))
    np.testing.assert_allclose(absent["ndcg_all"], 1 / (1 + 1 / math.log2(3)))
    irrelevant = graded_ndcg(np.array([[1], [1]]), np.array([[0.0], [1.0]]))
    assert irrelevant["ndcg_all"].tolist() == [1.0]
    with pytest.raises(ValueError, match="2 queries have no function"):
        graded_ndcg(np.ones((2, 1)), np.zeros((2, 1)))


HEAD = "Language,Query,GitHubUrl,Relevance,Notes\n"


def test_annotations_as_published(tmp_path):
    """Several annotators are averaged; quotes and commas are CSV's; other languages stay out."""
    path = tmp_path / "annotationStore.csv"
    path.write_text(
        HEAD
        + 'Go,sort list,https://a#L1,3,"good, with ""quotes"""\n'
        + "Go,Sort List,https://a#L1,2,\nGo,sort list,https://b#L2,0,\nPython,other,https://c,3,\n"
    )
    qrels = read_qrels(path, "go")
    assert qrels == (["sort list"], [{"https://a#L1": 2.5, "https://b#L2": 0.0}])
    assert read_qrels(path, "python").queries == ["other"]
    with pytest.raises(InputError, match="no judgements for ruby"):
        read_qrels(path, "ruby")


@pytest.mark.parametrize("folder", [".", "qrels"])
@pytest.mark.parametrize("head, middle", [("", "0 "), ("query-id\tcorpus-id\tscore\n", "")])
def test_qrels(tmp_path, folder, head, middle):
    texts = [{"_id": "q 1", "text": "sort a list"}, {"_id": "2", "text": "open a file"}]
    (tmp_path / "queries.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in texts))
    (tmp_path / folder).mkdir(exist_ok=True)
    path = tmp_path / folder / "test.tsv"
    path.write_text(f"{head}q%201 {middle}lib/a%20b.rb 3\n2\t{middle}lib/c.rb 1\n")
    qrels = read_qrels(path, "ruby")
    assert qrels.queries == ["sort a list", "open a file"]
    assert qrels.grades == [{"lib/a b.rb": 3.0}, {"lib/c.rb": 1.0}]


BAD = {
    "a.csv:2: not 5 fields, as the first line has": ("a.csv", HEAD + "Go,q,u,1\n"),
    "a.csv:3: the grade 'high' is no number": ("a.csv", HEAD + "Go,q,u,1,\nGo,q,v,high,\n"),
    "a.csv:2: the grade '-1' is no number": ("a.csv", HEAD + "Go,q,u,-1,\n"),
    "no column githuburl or url among query, grade": ("a.csv", "Query,Grade\nq,1\n"),
    "qrels:1: 2 fields": ("qrels", "q u\n"),
    "qrels:1: no text for query 'x'": ("qrels", "x 0 u 1\n"),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_files_name_the_line(tmp_path, message):
    name, text = BAD[message]
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "t"}\n')
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as error:
        read_qrels(tmp_path / name, "go")
    assert message in str(error.value) and "\n" not in str(error.value)


def write_beir(folder, lines: bytes, queries: bytes = b'{"_id": "q 1", "text": "sort"}\n'):
    (folder / "queries.jsonl").write_bytes(queries)
    path = folder / "test.tsv"
    path.write_bytes(b"query-id\tcorpus-id\tscore\n" + lines)
    return path


@pytest.mark.parametrize(
    "url",
    [
        "lib/my file.rb#L1",
        "https://x/y/my%20file.rb",
        "a\u2028b",
        "a\x85b\x0bc\x0cd",
        "100% of it",
        "é\xa0",
    ],
)
def test_ids_between_tabs_are_taken_as_they_are(tmp_path, url):
    line = f"q 1\t{url}\t2\r\nq 1\t0\tother {url}\t1\n"
    qrels = read_qrels(write_beir(tmp_path, line.encode()), "go")
    assert qrels == (["sort"], [{url.strip(): 2.0, f"other {url}".strip(): 1.0}])


def test_our_own_qrels_come_back(tmp_path):
    """Between spaces ids are percent-encoded: `write_qrels` writes them so."""
    urls = ["a b", "a%20b", "é", "a\tb"]
    write_qrels(tmp_path / "qrels", ["q 1"], urls, np.arange(4)[None], np.arange(1, 5)[None])
    write_beir(tmp_path, b"")
    qrels = read_qrels(tmp_path / "qrels", "go")
    assert qrels == (["sort"], [dict(zip(urls, [1.0, 2.0, 3.0, 4.0], strict=True))])


def test_texts_of_queries(tmp_path):
    """A mark, numbers as ids, line separators; in the file of grades a mark as well."""
    queries = b'\xef\xbb\xbf{"_id": 7, "text": "sort a\xe2\x80\xa8list\xc2\x85"}\n\n'
    path = write_beir(tmp_path, b"7\tu\t1\n", queries)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_qrels(path, "go") == (["sort a\u2028list"], [{"u": 1.0}])


BAD_QUERIES = {
    "malformed JSON: Expecting property name": b"{x}",
    "malformed JSON: brackets nested too deep": b"[" * 100_000,
    "bytes that are not UTF-8": b'{"_id": "caf\xe9", "text": "t"}',
    "not a JSON object": b"[]",
    "not an _id and a text": b'{"text": "t"}',
    "a text that is no text": b'{"_id": "x", "text": 5}',
    "a _id that is neither text nor a number": b'{"_id": ["x"], "text": "t"}',
    "a lone surrogate": b'{"_id": "x", "text": "\\udc00"}',
}


@pytest.mark.parametrize("reason", BAD_QUERIES)
def test_queries_that_cannot_be_used_are_skipped_and_named(tmp_path, reason):
    queries = BAD_QUERIES[reason] + b'\n{"_id": "q 1", "text": "sort"}\n'
    path, errors = write_beir(tmp_path, b"q 1\tu\t1\n", queries), RowErrors()
    assert read_qrels(path, "go", errors) == (["sort"], [{"u": 1.0}])
    (line,) = errors.lines()
    assert line.startswith(f"skipped 1 row: {reason}") and line.endswith("queries.jsonl:1)")
    with pytest.raises(InputError, match=f"queries.jsonl:1: {reason}"):
        read_qrels(path, "go")


BAD_GRADES = {
    b"q\xff 1\tu\t1": "bytes that are not UTF-8",
    b"q 1\tu\tnan": "the grade 'nan' is no number from 0 to 1,000",
    b"q 1\tu\t1e999": "the grade '1e999' is no number",
    b"q 1\tu\t1_0": "the grade '1_0' is no number",
    b"q 1\tu\t1001": "the grade '1001' is no number",
    b"q 1\tu\t" + b"9" * 5000: "the grade '9999",
    b"q 1\t \t1": "no url",
    b"q 1\tu\t ": "the grade ' ' is no number",
    b"nobody\tu\t1": "no text for query 'nobody' in queries.jsonl",
    b"u 1": "2 fields: give query, 0, url, grade",
}


@pytest.mark.parametrize("line", BAD_GRADES)
def test_grades_that_cannot_be_used_are_skipped_and_named(tmp_path, line):
    path, errors = write_beir(tmp_path, line + b"\nq 1\tv\t1000\n"), RowErrors()
    assert read_qrels(path, "go", errors).grades == [{"v": 1000.0}]
    (told,) = errors.lines()
    assert told.startswith(f"skipped 1 row: {BAD_GRADES[line]}") and told.endswith("test.tsv:2)")
    with pytest.raises(InputError, match=f"test.tsv:2: {BAD_GRADES[line]}"):
        read_qrels(path, "go")
    path = write_beir(tmp_path, line)
    with pytest.raises(
        InputError, match=f"no judgements for go; skipped 1 row: {BAD_GRADES[line]}"
    ):
        read_qrels(path, "go", RowErrors())


def test_odd_rows_of_a_csv(tmp_path):
    path, errors = tmp_path / "a.csv", RowErrors()
    rows = [b",q,u,1,", b"GO , q ,u,2,", b"Go,q,5,3,", b"Go,,u,1,", b"Go,q,,1,", b"Go,caf\xe9,u,1,"]
    path.write_bytes(b"\xef\xbb\xbf" + HEAD.encode() + b"\n".join(rows))
    assert read_qrels(path, "go", errors) == (["q"], [{"u": 1.5, "5": 3.0}])
    assert errors.count == {"no query": 1, "no url": 1, "bytes that are not UTF-8": 1}
    with pytest.raises(InputError, match=r"a.csv:5: no query"):
        read_qrels(path, "go")


CELLS = st.lists(st.one_of(texts, st.sampled_from(["q", "u", "0", "3", "1e400"])), max_size=5)
QRELS_LINE = st.tuples(st.sampled_from(["\t", " ", ","]), CELLS).map(
    lambda x: x[0].join(x[1]).encode("utf-8", "surrogatepass")
)


@pytest.mark.parametrize("name", ["test.tsv", "a.csv"])
def test_whatever_files_hold_only_input_errors_come_out(tmp_path, name):
    @bounded
    @given(files(st.one_of(QRELS_LINE, st.binary(max_size=9))), files(lines("_id", "text")))
    def read(content, queries):
        head = HEAD.encode() if name == "a.csv" else b""
        (tmp_path / "queries.jsonl").write_bytes(b'{"_id": "q", "text": "t"}\n' + queries)
        (tmp_path / name).write_bytes(head + b"Go,q,u,1,\nq 0 u 1\n" + content)
        for errors in (RowErrors(), None):
            with only_input_errors(tmp_path / name):
                qrels = read_qrels(tmp_path / name, "go", errors)
                _, grade_QG = graded_candidates(qrels, [Candidate("c", "u", "go")])
                assert np.isfinite(2.0**grade_QG).all() and all(qrels.queries)
                "".join([*qrels.queries, *(url for urls in qrels.grades for url in urls)]).encode()

    read()


def test_qrels_without_texts_say_what_to_do(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "qrels").write_text("q 0 u 1\n")
    with pytest.raises(InputError, match=r"put their texts into .*queries\.jsonl"):
        read_qrels(tmp_path / "deep" / "qrels", "go")
    with pytest.raises(InputError, match="no such file"):
        read_qrels(tmp_path / "nowhere.csv", "go")


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


def written(tmp_path, data, *, k, ids=URLS):
    q, c, relevant, grade = data
    write_qrels(tmp_path / "qrels", QUERY_IDS, ids, relevant, grade)
    write_run(tmp_path / "run", QUERY_IDS, ids, *top_candidates(q, c, k), name="my model")
    qrels = list(ir_measures.read_trec_qrels(str(tmp_path / "qrels")))
    run = list(ir_measures.read_trec_run(str(tmp_path / "run")))
    return qrels, run


def test_ir_measures_reads_our_numbers(tmp_path, data):
    qrels, run = written(tmp_path, data, k=1000)
    assert len(qrels) == (data[2] >= 0).sum() and len(run) == 40 * 300
    ours = summarize(query_metrics(vector_ranks(*data)))
    names = {ours: ir_measures.parse_measure(theirs) for ours, theirs in measures(3).items()}
    theirs = ir_measures.calc_aggregate(names.values(), qrels, run)
    for name, measure in names.items():
        assert theirs[measure] == pytest.approx(ours[name]["value"], abs=1e-9), name
    assert 0.05 < ours["mrr@1000"]["value"] < 0.95
    other = ir_measures.parse_measure("RR(rel=1)@1000")
    assert ir_measures.calc_aggregate([other], qrels, run)[other] != theirs[names["mrr@1000"]]


def test_every_query_agrees(tmp_path, data):
    qrels, run = written(tmp_path, data, k=1000)
    ours = query_metrics(vector_ranks(*data))
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
    qrels, run = written(tmp_path, tied, k=1000)
    ours = summarize(query_metrics(vector_ranks(*tied)))
    measure = ir_measures.parse_measure(measures(3)["mrr@1000"])
    theirs = ir_measures.calc_aggregate([measure], qrels, run)[measure]
    assert ours["mrr_worst"]["value"] < theirs < ours["mrr_best"]["value"]
    by_query = {}
    for row in run:
        by_query.setdefault(row.query_id, []).append(np.float32(row.score))
    assert all((np.diff(scores) < 0).all() for scores in by_query.values())


def test_ids_hold_no_space_and_differ(tmp_path, data):
    written(tmp_path, data, k=2)
    for name, fields in (("qrels", 4), ("run", 6)):
        lines = (tmp_path / name).read_text(encoding="ascii").splitlines()
        assert {len(line.split(" ")) for line in lines} == {fields}
    assert lines[0].split(" ")[-1] == "my%20model"
    assert lines[0].split(" ")[2].startswith("https://example.org/a%20b/gr%C3%B6%C3%9Fe#L")
    assert [line.split(" ")[3] for line in lines[:4]] == ["1", "2", "1", "2"]


def test_scores_fall_from_zero_too():
    found = _strictly_falling(np.zeros((1, 5)))
    assert found.dtype == np.float32 and (np.diff(found) < 0).all()
    parsed = [np.float32(f"{score:.9g}") for score in found[0]]
    np.testing.assert_array_equal(parsed, found[0])
    spread = np.array([[3.0, 2.0, 1.0]])
    np.testing.assert_array_equal(_strictly_falling(spread), spread)


def test_bad_ids_and_scores_are_named(tmp_path, data):
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
    assert not list(tmp_path.iterdir())
