"""`softnce mine-negatives`: the wrong functions that look most like each query's answer.

They are ranked by BM25, or by a model that training does not change, whose vectors are kept as a
teacher's are.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softnce_jax.errors import InputError
from softnce_jax.files import safe_name

if TYPE_CHECKING:
    from softnce_jax.data.corpus import Corpus, Functions
    from softnce_jax.estimators.precomputed import Precomputed
    from softnce_jax.retrieval.negatives import Hard, Search

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Flags:
    """Mines hard negatives: the wrong functions that look most like the answer to each query.

    They are functions of the training split, so nothing of the other splits is seen, and each has
    a query, of which estimators make its weight. A function with the query's own url, or with the
    same code or query text, is never one. The file is what finetune.py --negatives takes.
    """

    model: str
    """What ranks them: bm25, a run or model folder, or a Hub id."""
    lang: str = "ruby"
    """ruby, javascript, go, python, java, php, or all; each language is mined by itself."""
    data: str = "auto"
    """auto (CodeSearchNet where prepared, else the sample), sample, or your folder or file."""
    strict: bool = False
    """Make unusable rows an error instead of skipping and counting them."""
    fold: int | None = None
    """For finetune.py --fold: the same fold's training pairs."""
    download: bool = False
    """Fetch the model from the Hub when it is not in the local cache."""
    k: int = 5
    """Negatives of each query, the most similar that ranks and margins leave."""
    ranks: tuple[int, int] = (1, 100)
    """Places among a query's wrong functions from which they are taken: the first and the last."""
    absolute_margin: float | None = None
    """How far below the own function's score a negative's must lie."""
    relative_margin: float | None = None
    """The same as a share of the own function's score: 0.05 allows 95 % of it."""
    out: str | None = None
    """The file; by default in negatives/ beside the data, with a name made from these choices."""


def main(flags: Flags) -> None:
    """Writes the file that finetune.py --negatives takes."""
    mine_negatives(flags)


def mine_negatives(flags: Flags) -> Path:
    """Writes the hard negatives of every training query; returns the file.

    Raises:
      InputError: a model, data or numbers that cannot be used, before any work.
    """
    from softnce_jax.data.corpus import functions_of
    from softnce_jax.data.hard_negatives import training_hashes, write_negatives
    from softnce_jax.estimators.precomputed import teacher
    from softnce_jax.train.setup import check_splits, read_corpora

    check(flags)
    corpora, notes = read_corpora(flags)
    check_splits(corpora, ("train",))
    functions = [functions_of(corpus.train) for corpus in corpora]
    for corpus, found in zip(corpora, functions, strict=True):
        check_functions(flags, corpus, found)
    model = None if flags.model == "bm25" else teacher(flags.model, download=flags.download)
    for line in notes:
        log.info(line)
    mined, counts = [], {}
    for corpus, found in zip(corpora, functions, strict=True):
        hard = mine(flags, corpus, found, model)
        counts[corpus.language] = report(flags, corpus, found, hard)
        mined.append((corpus, found, hard))
    out = Path(flags.out) if flags.out else default_out(flags, model)
    about = {"k": flags.k, "model": flags.model, "model_hash": model and model.hash}
    about |= {name: getattr(flags, name) for name in ("ranks", "absolute_margin")}
    about |= {"relative_margin": flags.relative_margin, "queries": counts}
    hashes = training_hashes([pair for corpus in corpora for pair in corpus.train])
    rows = itertools.chain.from_iterable(itertools.starmap(lines, mined))
    write_negatives(out, about | {"train": hashes}, rows)
    log.info(f"{out}: give it to finetune.py as --negatives, with the same --lang and --data")
    return out


def check(flags: Flags) -> None:
    """Raises InputError for numbers that cannot be used."""
    first, last = flags.ranks
    if flags.k < 1:
        raise InputError(f"--k {flags.k} is not positive")
    if not 1 <= first <= last:
        raise InputError(f"--ranks {first} {last}: give the first, from 1, and the last")
    if last - first + 1 < flags.k:
        raise InputError(
            f"--ranks {first} {last} are {last - first + 1} places, fewer than --k {flags.k}"
        )
    for name in ("absolute_margin", "relative_margin"):
        value = getattr(flags, name)
        if value is not None and not math.isfinite(value):
            raise InputError(f"--{name.replace('_', '-')} {value} is not a finite number")
    if flags.out is not None and not flags.out.endswith(".jsonl"):
        raise InputError(f"--out {flags.out}: the file holds JSON lines; let it end in .jsonl")


def check_functions(flags: Flags, corpus: Corpus, functions: Functions) -> None:
    """Raises where the first rank wanted is beyond all functions."""
    if (wrong := len(functions.pair_M) - 1) < flags.ranks[0]:
        raise InputError(
            f"--ranks {flags.ranks[0]} {flags.ranks[1]}, but {corpus.language} has {wrong} wrong "
            "functions to train on"
        )


def mine(
    flags: Flags,
    corpus: Corpus,
    functions: Functions,
    model: Precomputed | None,
) -> Hard:
    """The hard negatives of one language, as numbers of its functions."""
    from softnce_jax.data.corpus import answers
    from softnce_jax.retrieval.negatives import Wanted, hard_negatives

    search = searcher(flags, corpus, functions, model)
    wanted = Wanted(flags.k, *flags.ranks, flags.absolute_margin, flags.relative_margin)
    right = answers(corpus.train, functions)
    try:
        return hard_negatives(search, right, wanted, candidates=len(functions.pair_M))
    except ValueError as error:  # vectors that are not finite
        raise InputError(f"{flags.model}: {error}") from error


def searcher(
    flags: Flags,
    corpus: Corpus,
    functions: Functions,
    model: Precomputed | None,
) -> Search:
    """What finds functions for the training queries."""
    from softnce_jax.estimators.precomputed import precomputed_features
    from softnce_jax.retrieval.negatives import bm25_search, vector_search
    from softnce_jax.train.setup import cache_folder

    if model is None:
        queries = [pair.query for pair in corpus.train]
        codes = [corpus.train[r].code for r in functions.pair_M]
        return bm25_search(queries, codes, functions.of_R)
    folder = cache_folder(flags.data, "features")
    a_RF, b_RF = precomputed_features(model, corpus.train, folder=folder)
    return vector_search(a_RF, b_RF[functions.pair_M], functions.of_R)


def lines(corpus: Corpus, functions: Functions, hard: Hard) -> Iterator[dict[str, Any]]:
    """A line of the file for every pair."""
    urls = [corpus.train[r].url for r in functions.pair_M]
    for pair, own, index_K, score_K in zip(
        corpus.train, hard.own_Q.tolist(), hard.index_QK, hard.score_QK, strict=True
    ):
        there_K = index_K >= 0
        yield {
            "language": pair.language,
            "url": pair.url,
            "query": pair.query,
            "score": own,
            "negatives": [urls[m] for m in index_K[there_K]],
            "scores": score_K[there_K].tolist(),
        }


def report(
    flags: Flags,
    corpus: Corpus,
    functions: Functions,
    hard: Hard,
) -> dict[str, int]:
    """Tells and returns how many queries have fewer negatives than wanted."""
    number_Q = (hard.index_QK >= 0).sum(axis=1)
    short, none = int((number_Q < flags.k).sum()), int((number_Q == 0).sum())
    missing = hard.index_QK.size - int(number_Q.sum())
    log.info(
        f"{corpus.language}: {len(corpus.train)} training queries, {len(functions.pair_M)} "
        f"functions; {short} of {len(corpus.train)} queries have fewer than {flags.k} negatives "
        f"left, {none} none" + (
            f": in training, functions drawn at random take the {missing} of {hard.index_QK.size} "
            "places" if missing else ""
        )
    )  # fmt: skip
    return {"all": len(corpus.train), "short": short, "none": none}


def default_out(flags: Flags, model: Precomputed | None) -> Path:
    """Beside the data, named by what makes it."""
    from softnce_jax.train.setup import cache_folder

    ranking = "bm25" if model is None else f"{Path(flags.model).name}-{model.hash[:8]}"
    parts = [flags.lang, safe_name(ranking), str(flags.k)]
    parts += [f"ranks{flags.ranks[0]}-{flags.ranks[1]}"] * (flags.ranks != (1, 100))
    for name in ("absolute_margin", "relative_margin", "fold"):
        value = getattr(flags, name)
        parts += [f"{name.split('_')[0]}{value}"] * (value is not None)
    return cache_folder(flags.data, "negatives") / f"{'-'.join(parts)}.jsonl"
