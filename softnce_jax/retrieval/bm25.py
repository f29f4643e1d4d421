"""The lexical baseline: BM25 retrieval of code by the words of the query.

Identifiers are split into words on both sides, so `parse_http2Header` answers "parse the HTTP 2
header"; without that, BM25 is a weak baseline for code. There are no stop words and no stemming:
nothing is tuned to English or to one programming language.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence

import numpy as np

from softnce_jax.errors import check_texts
from softnce_jax.retrieval.blocks import block_shape
from softnce_jax.retrieval.metrics import Ranks
from softnce_jax.retrieval.ranking import score_ranks, top_scores

__all__ = ["Bm25", "bm25_ranks", "bm25_top", "words"]

log = logging.getLogger(__name__)

K1, B = 1.2, 0.75  # Lucene's defaults

# An acronym before a capitalised word, a word, an acronym at the end, a number.
_WORD = re.compile(r"[A-Z]+(?=[A-Z][^\W\d_A-Z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+")


def words(text: str) -> list[str]:
    """The words of a text or of code in lower case, identifiers split.

    Example:
      >>> words("def parse_http2Header(HTTPServer): return x10")
      ['def', 'parse', 'http', '2', 'header', 'http', 'server', 'return', 'x', '10']
    """
    return [word.lower() for word in _WORD.findall(text)]


class Bm25:
    """An index of codes that gives BM25 scores (Lucene's form, k1 = 1.2, b = 0.75) of queries.

        score = Σ_v log(1 + (M − n_v + ½)/(n_v + ½)) · c_v / (c_v + k1·(1 − b + b·length/mean))

    Args:
      codes: M texts. Where none has a word, every score is 0.

    Attributes:
      has_words: whether any code has a word.

    Example:
      >>> index = Bm25(["def open_file(path): ...", "def closeSocket(s): ..."])
      >>> next(index.score_blocks(["close the socket"])).argmax(axis=1)
      array([1])

    Source: Robertson & Zaragoza, The Probabilistic Relevance Framework, 2009; index by bm25s.
    """

    def __init__(self, codes: Sequence[str]):
        check_texts(codes, "codes")
        words_M = [words(code) for code in codes]
        self._codes, self.has_words = len(codes), any(words_M)
        if self.has_words:  # bm25s takes no empty vocabulary
            import bm25s  # here, for it uses a device when it is imported

            logging.getLogger("bm25s").setLevel(logging.WARNING)  # it logs every index at debug
            self._index = bm25s.BM25(method="lucene", k1=K1, b=B, backend="numpy")
            self._index.index(words_M, show_progress=False)

    def score_blocks(self, queries: Sequence[str]) -> Iterator[np.ndarray]:
        """Yields float32 scores (R, M) of R queries at a time, so that no (Q, M) matrix exists."""
        check_texts(queries, "queries")
        rows = block_shape(self._codes).queries
        for start in range(0, len(queries), rows):
            yield np.stack([self._row(query) for query in queries[start : start + rows]])

    def _row(self, query: str) -> np.ndarray:
        if not self.has_words:
            return np.zeros(self._codes, np.float32)
        known = self._index.get_tokens_ids(words(query))
        return self._index.get_scores_from_ids(known)


def bm25_ranks(
    queries: Sequence[str],
    codes: Sequence[str],
    relevant_QG: np.ndarray,
    grade_QG: np.ndarray,
) -> Ranks:
    """Ranks of the graded candidates by BM25; where no code has a word, all tie, which is logged.

    Args:
      queries: Q texts.
      codes: M codes.
      relevant_QG: indices of candidates, -1 for none; column 0 is the true code.
      grade_QG: their grades.

    Returns:
      Ranks of shape (Q, G).

    Example:
      >>> one = np.ones((1, 1), np.int32)
      >>> bm25_ranks(["close the socket"], ["openFile(p)", "closeSocket(s)"], one, one).worst_QG
      array([[1]], dtype=int32)
    """
    index = Bm25(codes)
    if not index.has_words:
        log.warning(f"BM25 found no word in any of {len(codes)} codes: all of them tie")
    return score_ranks(index.score_blocks(queries), relevant_QG, grade_QG)


def bm25_top(queries: Sequence[str], codes: Sequence[str], k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k codes with the highest BM25 scores, best first: indices and scores, both (Q, K)."""
    tops = [top_scores(score_RM, k) for score_RM in Bm25(codes).score_blocks(queries)]
    return tuple(np.concatenate(column) for column in zip(*tops, strict=True))
