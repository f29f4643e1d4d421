"""How results are reported: the protocol that a number needs, and a table of systems."""

from __future__ import annotations

from collections.abc import Mapping

from tabulate import tabulate

from softnce_jax.retrieval.metrics import MRR_CUT
from softnce_jax.retrieval.ranking import TIE

__all__ = ["COLUMNS", "protocol", "results_table", "three_digits"]

# Metrics in the order of the table's columns, and their titles.
COLUMNS = {
    "mrr": "MRR",
    "recall@1": "R@1",
    "recall@5": "R@5",
    "recall@10": "R@10",
    "ndcg@10": "nDCG@10",
    "negative_ndcg@10": "neg-nDCG@10",  # of the negatives alone, where any is graded
    "ndcg_judged": "nDCG judged",  # against grades that people gave, see retrieval/qrels.py
    "ndcg_all": "nDCG all",
}


def protocol(
    *, queries: int, candidates: int, data_hash: str, data: str | None = None
) -> dict[str, int | str]:
    """What a result must state to be comparable: MRR falls with every candidate added.

    Args:
      queries: Q, the queries evaluated.
      candidates: M, the candidates each was ranked among.
      data_hash: of the rows they were read from.
      data: the data's name, where they have one, or how they differ from the data of that name.

    Returns:
      Entries for results.json.

    Example:
      >>> protocol(queries=3, candidates=5, data_hash="0f")["candidates"]
      5
    """
    named = {} if data is None else {"data": data}
    return named | {
        "queries": queries,
        "candidates": candidates,
        "data_hash": data_hash,
        "tie_rule": (
            "place = mean of the best and worst place among equal scores; dot products within "
            f"{TIE:g}·|q|·|c| of the true code's are equal, BM25 scores if identical; "
            "mrr_best and mrr_worst are the bounds"
        ),
        "cut": f"mrr is uncut; mrr@{MRR_CUT} counts places beyond {MRR_CUT} as 0",
        "interval": "95 %, percentile bootstrap over queries",
    }


def results_table(systems: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """One row per system, one column per metric that all have, each with its 95 % interval.

    Args:
      systems: name of the system → its summary (see `summarize`).

    Returns:
      Aligned lines of text.

    Example:
      >>> half = {"value": 0.5, "low": 0.25, "high": 1.0}
      >>> table = results_table({"BM25": dict.fromkeys(COLUMNS, half)})
      >>> table.splitlines()[1][:37]
      'BM25  .500 [.250, 1.00]  .500 [.250, '
    """
    shown = [name for name in COLUMNS if all(name in summary for summary in systems.values())]
    rows = [
        [system, *(_interval(**summary[name]) for name in shown)]
        for system, summary in systems.items()
    ]
    head = ["", *(COLUMNS[name] for name in shown)]
    return tabulate(rows, head, tablefmt="plain", disable_numparse=True)


def _interval(value: float, low: float, high: float) -> str:
    return f"{three_digits(value)} [{three_digits(low)}, {three_digits(high)}]"


def three_digits(number: float) -> str:
    """A number from 0 to 1 with three significant digits, as the paper's tables print it.

    Example:
      >>> three_digits(0.1234), three_digits(0.9999)
      ('.123', '1.00')
    """
    return f"{number:.3f}"[1:] if number < 0.9995 else "1.00"
