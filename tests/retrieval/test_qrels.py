"""NDCG against judgements: the benchmark's own procedure as a slow loop, and the files it reads."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from softnce_jax.data.corpus import Candidate
from softnce_jax.errors import InputError
from softnce_jax.retrieval.qrels import Judgements, judged_ndcg, judged_places, read_judgements


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
    judged_QG, grade_QG = judged_places(Judgements(["q"] * 20, grades), candidates)
    place_QG = np.zeros(judged_QG.shape)
    for q, ranking in enumerate(rankings):
        place_of = {url: place for place, url in enumerate(ranking, start=1)}
        for g, url in enumerate(grades[q]):
            place_QG[q, g] = place_of.get(url, 0)
    found = judged_ndcg(place_QG, grade_QG)
    for name, count_all in (("ndcg_judged", False), ("ndcg_all", True)):
        slow = [slow_ndcg(r, g, count_all=count_all) for r, g in zip(rankings, grades, strict=True)]
        np.testing.assert_allclose(found[name], slow, rtol=1e-12)
    assert np.all(found["ndcg_judged"] >= found["ndcg_all"])
    assert np.abs(found["ndcg_judged"] - found["ndcg_all"]).max() > 0.1


def test_cut_ties_and_absent_functions():
    beyond = judged_ndcg(np.array([[301, 0]]), np.array([[3.0, 1.0]]))
    assert beyond["ndcg_judged"] == beyond["ndcg_all"] == 0
    tied = judged_ndcg(np.array([[1.5, 1.5]]), np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(tied["ndcg_judged"], 1 / math.log2(2.5))
    absent = judged_ndcg(np.array([[1, 0]]), np.array([[1.0, 1.0]]))
    np.testing.assert_allclose(absent["ndcg_all"], 1 / (1 + 1 / math.log2(3)))
    irrelevant = judged_ndcg(np.array([[1], [1]]), np.array([[0.0], [1.0]]))
    assert irrelevant["ndcg_all"].tolist() == [1.0]
    with pytest.raises(ValueError, match="2 queries have no function"):
        judged_ndcg(np.ones((2, 1)), np.zeros((2, 1)))


HEAD = "Language,Query,GitHubUrl,Relevance,Notes\n"


def test_annotations_as_published(tmp_path):
    """Several annotators are averaged; quotes and commas are CSV's; other languages stay out."""
    path = tmp_path / "annotationStore.csv"
    path.write_text(
        HEAD
        + 'Go,sort list,https://a#L1,3,"good, with ""quotes"""\n'
        + "Go,Sort List,https://a#L1,2,\nGo,sort list,https://b#L2,0,\nPython,other,https://c,3,\n"
    )
    judged = read_judgements(path, "go")
    assert judged == (["sort list"], [{"https://a#L1": 2.5, "https://b#L2": 0.0}])
    assert read_judgements(path, "python").queries == ["other"]
    with pytest.raises(InputError, match="no judgements for ruby"):
        read_judgements(path, "ruby")


@pytest.mark.parametrize("folder", [".", "qrels"])
@pytest.mark.parametrize("head, middle", [("", "0 "), ("query-id\tcorpus-id\tscore\n", "")])
def test_qrels(tmp_path, folder, head, middle):
    texts = [{"_id": "q 1", "text": "sort a list"}, {"_id": "2", "text": "open a file"}]
    (tmp_path / "queries.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in texts))
    (tmp_path / folder).mkdir(exist_ok=True)
    path = tmp_path / folder / "test.tsv"
    path.write_text(f"{head}q%201 {middle}lib/a%20b.rb 3\n2\t{middle}lib/c.rb 1\n")
    judged = read_judgements(path, "ruby")
    assert judged.queries == ["sort a list", "open a file"]
    assert judged.grades == [{"lib/a b.rb": 3.0}, {"lib/c.rb": 1.0}]


BAD = {
    "a.csv:2: 4 fields, the first line has 5": ("a.csv", HEAD + "Go,q,u,1\n"),
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
        read_judgements(tmp_path / name, "go")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_qrels_without_texts_say_what_to_do(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "qrels").write_text("q 0 u 1\n")
    with pytest.raises(InputError, match=r"put their texts into .*queries\.jsonl"):
        read_judgements(tmp_path / "deep" / "qrels", "go")
    with pytest.raises(InputError, match="no such file"):
        read_judgements(tmp_path / "nowhere.csv", "go")
