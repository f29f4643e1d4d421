"""The table and the protocol of results."""

from __future__ import annotations

from softnce_jax.retrieval.results import COLUMNS, protocol, results_table

RANKED = [name for name in COLUMNS if name not in ("ndcg_judged", "ndcg_all")]


def summary(value, low, high):
    return {name: {"value": value, "low": low, "high": high} for name in RANKED}


def test_table_is_aligned_and_complete():
    systems = {"BM25": summary(0.4321, 0.4, 1.0), "untrained": summary(0.0, 0.0, 0.0123)}
    head, first, second = results_table(systems).splitlines()
    assert head.split() == ["MRR", "R@1", "R@5", "R@10", "nDCG@10", "neg-nDCG@10"]
    assert first.split("  ")[0] == "BM25" and first.count(".432 [.400, 1.00]") == 6
    assert second.startswith("untrained  .000 [.000, .012]")
    starts = [[i for i, x in enumerate(line) if x == "["] for line in (first, second)]
    assert starts[0] == starts[1]
    assert head.index("neg-nDCG@10") == second.rindex(".000 [")


def test_a_metric_that_a_system_lacks_is_not_shown():
    systems = {"BM25": summary(0.5, 0.4, 0.6), "ours": summary(0.5, 0.4, 0.6)}
    del systems["ours"]["negative_ndcg@10"]
    assert results_table(systems).splitlines()[0].split()[-1] == "nDCG@10"


def test_rounding_to_one_stays_in_width():
    assert " 1.00 [.999, 1.00]" in results_table({"a": summary(0.9996, 0.9994, 1.0)})


def test_protocol_names_what_changes_the_numbers():
    found = protocol(queries=7, candidates=90, data_hash="ab12")
    assert (found["queries"], found["candidates"], found["data_hash"]) == (7, 90, "ab12")
    assert "1e-06" in found["tie_rule"] and "mean" in found["tie_rule"]
    assert "1000" in found["cut"]
