"""BM25 of query against query in a batch as two feature matrices: similarity = a bᵀ.

Runs on the host, in the loader: numpy in, numpy out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int

__all__ = ["average_length", "bm25_columns", "bm25_features", "columns_for", "corpus_idf"]

LAST_SPECIAL = 3  # the largest of the ids of <s>, <pad>, </s> and <unk>, which are no words
MIN_COLUMNS = 128


def average_length(
    ids: Sequence[Sequence[int] | Int[np.ndarray, " _"]] | Int[np.ndarray, "R L"],
) -> float:
    """The mean number of words (ids above 3) in a row: BM25's avgdl of a training set.

    Args:
      ids: token ids of every training query, R rows of any length, padded or not.

    Returns:
      Words per row; 0.0 where no row has a word.

    Raises:
      ValueError: there are no rows.

    Example:
      >>> average_length([[0, 7, 8, 2], [0, 9, 9, 9, 9, 2]])
      3.0

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023 (BM25 estimator).
    """
    if len(ids) == 0:
        raise ValueError("0 rows have no average length; give at least 1")
    return len(_words(ids)[0]) / len(ids)


def corpus_idf(
    ids: Sequence[Sequence[int] | Int[np.ndarray, " _"]] | Int[np.ndarray, "R L"],
) -> Float[np.ndarray, " V"]:
    """The idf of every token over a whole training set, never negative.

    idf_v = log( 1 + (R − n_v + 0.5) / (n_v + 0.5) )

    Args:
      ids: token ids of every training query, R rows of any length, padded or not.

    Returns:
      float64 (V,), V one more than the largest id; 0 at the ids that are no words.

    Raises:
      ValueError: there are no rows.

    Example:
      Token 5 occurs in one of two rows.

      >>> print(f"{corpus_idf([[0, 5, 5, 2], [0, 6, 2]])[5]:.4f} {np.log(2):.4f}")
      0.6931 0.6931

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023, whose BM25 estimator
    has the idf of the batch, negative for the words of more than half of it.
    """
    if len(ids) == 0:
        raise ValueError("0 rows have no idf; give at least 1")
    word, row = _words(ids)
    once = np.unique(np.stack([word, row]), axis=1)[0]
    rows_V = np.bincount(once, minlength=LAST_SPECIAL + 1)
    idf_V = np.log1p((len(ids) - rows_V + 0.5) / (rows_V + 0.5))
    idf_V[: LAST_SPECIAL + 1] = 0
    return idf_V


def bm25_features(
    ids: Sequence[Sequence[int] | Int[np.ndarray, " _"]] | Int[np.ndarray, "B L"],
    average_length: float,
    *,
    documents: Sequence[Sequence[int] | Int[np.ndarray, " _"]] | None = None,
    idf: Float[np.ndarray, " V"] | None = None,
    lone_words: bool = True,
    k1: float = 1.2,
    b: float = 0.75,
) -> tuple[Float[np.ndarray, "B F"], Float[np.ndarray, "N F"]]:
    """Features whose product is the BM25 of each query of a batch against each document.

    a_iv = c_iv,  b_jv = idf_v (k1 + 1) c_jv / ( k1 (1 − b + b dl_j / avgdl) + c_jv )
    idf_v = log( (B − n_v + 0.5) / (n_v + 0.5) )

    c_iv counts token v in row i, n_v the rows that hold it and dl_j the words of row j. Words are
    ids above 3. Without `idf` the batch is its own document collection, so give the queries of the
    global batch. Further documents, the queries of hard negatives, are scored but not counted: they
    change no similarity within the batch.

    Args:
      ids: token ids of the batch's queries, B rows of any length, padded or not.
      average_length: avgdl in words per query, over the training set; where it is 0, a row's
        length has no influence.
      documents: token ids of N rows; by default the queries themselves.
      idf: of every token, as of `corpus_idf`; by default the batch's.
      lone_words: whether words that occur in one query only have columns. Without them F is about
        half, and the similarity of two queries is the same; only that of a query with itself, which
        is no negative, lacks them. Keep them where documents are added, which may share such words.
      k1: how soon repetitions stop counting.
      b: how strongly long rows are discounted, 0 to 1.

    Returns:
      (a, b): (B, F) and (N, F) float32, similarity = a bᵀ. F counts the different tokens of the
      queries (without `lone_words`, those of two or more) rounded up to a power of two, at least
      128, so that shapes repeat; the columns added are zeros.

    Raises:
      ValueError: there are no rows, `average_length` is negative or not a number, or `idf` lacks a
        token.

    Example:
      Token 5 occurs in two of two rows, idf = log(0.5 / 2.5); the rows have the average length.

      >>> a, b = bm25_features([[0, 5, 2], [0, 5, 2]], 1.0)
      >>> a.shape
      (2, 128)
      >>> print(f"{(a @ b.T)[0, 1]:.4f} {np.log(0.5 / 2.5):.4f}")
      -1.6094 -1.6094

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023 (BM25 estimator);
    the idf and the constants are those of the published code.
    """
    if len(ids) == 0:
        raise ValueError("0 rows have no features; give at least 1")
    if not average_length >= 0:
        raise ValueError(f"average_length is {average_length}; give words per row, at least 0")
    query = _count(ids)
    word_U, rows_U = np.unique(query.word_E, return_counts=True)
    if idf is None:  # the published one, with the batch as the collection
        idf_U = np.log((len(ids) - rows_U + 0.5) / (rows_U + 0.5))
    elif len(word_U) and word_U[-1] >= len(idf):
        raise ValueError(f"token {word_U[-1]} is beyond the {len(idf)} of the idf")
    else:
        idf_U = idf[word_U]
    if not lone_words:
        word_U, idf_U = word_U[rows_U > 1], idf_U[rows_U > 1]
    document = query if documents is None else _count(documents)
    length_N = document.length_R
    relative_N = length_N / average_length if average_length > 0 else np.ones(len(length_N))
    half_E = k1 * (1 - b + b * relative_N)[document.row_E]
    gain_E = (k1 + 1) * document.count_E / (half_E + document.count_E)
    query_column_E, document_column_E = (_columns(x.word_E, word_U) for x in (query, document))
    weight_E = np.append(idf_U, 0)[document_column_E] * gain_E  # column −1 takes the 0 at the end
    width = columns_for(len(word_U))
    return (
        _scatter(query.count_E, query.row_E, query_column_E, (len(ids), width)),
        _scatter(weight_E, document.row_E, document_column_E, (len(length_N), width)),
    )


def bm25_columns(ids: Sequence, *, lone_words: bool = True) -> int:
    """F of `bm25_features` of a batch, without making them.

    Args:
      ids: as there.
      lone_words: as there.

    Returns:
      The number of columns.

    Example:
      >>> bm25_columns([range(4, 204)]), bm25_columns([range(4, 204)], lone_words=False)
      (256, 128)
    """
    _, rows_U = np.unique(_count(ids).word_E, return_counts=True)
    return columns_for(len(rows_U) if lone_words else int((rows_U > 1).sum()))


def columns_for(words: int) -> int:
    """F for a number of words: few sizes, so that shapes repeat.

    Example:
      >>> columns_for(5), columns_for(200)
      (128, 256)
    """
    return max(MIN_COLUMNS, 1 << (words - 1).bit_length())


class _Counts(NamedTuple):
    """Word counts of R rows: an entry for each row and each word that occurs in it."""

    word_E: np.ndarray
    row_E: np.ndarray
    count_E: np.ndarray
    length_R: np.ndarray  # words of each row, repetitions included


def _count(ids: Sequence) -> _Counts:
    word, row = _words(ids)
    # (row, word) as one number, so that a single sort counts all rows.
    base = word.max(initial=0) + 1
    entry, count_E = np.unique(row * base + word, return_counts=True)
    row_E, word_E = np.divmod(entry, base)
    return _Counts(word_E, row_E, count_E, np.bincount(row, minlength=len(ids)))


def _columns(word_E: np.ndarray, word_U: np.ndarray) -> np.ndarray:
    """The index of each word among the sorted ones that have columns; −1 for none."""
    if len(word_U) == 0:
        return np.full(len(word_E), -1)
    column_E = np.minimum(np.searchsorted(word_U, word_E), len(word_U) - 1)
    return np.where(word_U[column_E] == word_E, column_E, -1)


def _scatter(
    value_E: np.ndarray, row_E: np.ndarray, column_E: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """A float32 matrix of the values at their rows and columns, zeros elsewhere.

    Only this is dense: at 4,096 rows and columns 64 MiB, where float64 counts took gigabytes.
    """
    matrix = np.zeros(shape, np.float32)
    has_column_E = column_E >= 0
    matrix[row_E[has_column_E], column_E[has_column_E]] = value_E[has_column_E]
    return matrix


def _words(ids: Sequence) -> tuple[np.ndarray, np.ndarray]:
    """Every word of all rows, and the row in which it occurs."""
    row = np.repeat(np.arange(len(ids)), [len(r) for r in ids])
    token = np.concatenate([np.asarray(r, dtype=np.int64) for r in ids])
    return token[token > LAST_SPECIAL], row[token > LAST_SPECIAL]
