"""`softnce mine-negatives`: the wrong functions that look most like each query's answer.

They are ranked by BM25, or by a model that training does not change, whose vectors are cached as a
teacher's are.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from softnce_jax.errors import InputError
from softnce_jax.files import safe_name, to_path
from softnce_jax.languages import LANGUAGES
from softnce_jax.typed import Count, Factor, OutPath, Size, check_fields

if TYPE_CHECKING:
    from softnce_jax.data.corpus import Corpus, Functions
    from softnce_jax.estimators.precomputed import Precomputed
    from softnce_jax.retrieval.negatives import MinedNegatives, Search

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
    lang: Annotated[
        str, arg(help=f"{', '.join(LANGUAGES)}, or all; each language is mined by itself.")
    ] = "ruby"
    data: str = "auto"
    """auto (CodeSearchNet where prepared, else the sample), sample, or your folder or file."""
    strict: bool = False
    """Make unusable rows an error instead of skipping and counting them."""
    fold: Size | None = None
    """For finetune.py --fold: the same fold's training pairs."""
    download: bool = False
    """Fetch the model from the Hub when it is not in the local cache."""
    k: Count = 5
    """Negatives of each query, the most similar that ranks and margins leave."""
    ranks: tuple[Count, Count] = (1, 100)
    """First and last rank among a query's wrong functions from which they are taken."""
    absolute_margin: Factor | None = None
    """How far below the right function's score a negative's must lie."""
    relative_margin: Factor | None = None
    """The same as a share of the right function's score: 0.05 allows 95 % of it."""
    out: OutPath | None = None
    """The file; by default in negatives/ beside the data, with a name made from these choices."""


def main(flags: Flags) -> None:
    """Writes the file that finetune.py --negatives takes."""
    mine_negatives(flags)


def mine_negatives(flags: Flags) -> Path:
    """Writes the hard negatives of every training query; returns the file.

    Raises:
      InputError: a model, data or numbers that cannot be used, before any work.
    """
    from softnce_jax.mesh import devices, without_x64

    _check_flags(flags)
    devices()
    with without_x64():
        return _mine_negatives(flags)


def _mine_negatives(flags: Flags) -> Path:
    from softnce_jax.data.corpus import unique_functions
    from softnce_jax.data.hard_negatives import training_hashes, write_negatives
    from softnce_jax.estimators.precomputed import teacher
    from softnce_jax.train.setup import check_splits, read_corpora

    corpora, notes = read_corpora(flags)
    check_splits(corpora, ("train",))
    functions = [unique_functions(corpus.train) for corpus in corpora]
    for corpus, unique in zip(corpora, functions, strict=True):
        _check_functions(flags, corpus, unique)
    model = None if flags.model == "bm25" else teacher(flags.model, download=flags.download)
    for line in notes:
        log.info(line)

    mined, counts = [], {}
    for corpus, unique in zip(corpora, functions, strict=True):
        negatives = _mine(flags, corpus, unique, model)
        counts[corpus.language] = _report(flags, corpus, unique, negatives)
        mined.append((corpus, unique, negatives))

    out = to_path(flags.out) if flags.out else _default_out(flags, model)
    about = {"k": flags.k, "model": flags.model, "model_hash": model and model.hash}
    about |= {name: getattr(flags, name) for name in ("ranks", "absolute_margin")}
    about |= {"relative_margin": flags.relative_margin, "queries": counts}
    hashes = training_hashes([pair for corpus in corpora for pair in corpus.train])
    rows = itertools.chain.from_iterable(itertools.starmap(_lines, mined))
    write_negatives(out, about | {"train": hashes}, rows)
    log.info(f"{out}: give it to finetune.py as --negatives, with the same --lang and --data")
    return out


def _check_flags(flags: Flags) -> None:
    """Raises InputError for numbers that cannot be used."""
    from softnce_jax.data.hard_negatives import LARGEST_K

    check_fields(flags)
    first, last = flags.ranks
    if flags.k > LARGEST_K:
        raise InputError(f"--k {flags.k} is more than {LARGEST_K:,}")
    if first > last:
        raise InputError(f"--ranks {first} {last}: give the first, from 1, and the last")
    if last - first + 1 < flags.k:
        raise InputError(
            f"--ranks {first} {last} are {last - first + 1} ranks, fewer than --k {flags.k}"
        )
    if flags.out is not None and not flags.out.endswith(".jsonl"):
        raise InputError(f"--out {flags.out}: the file holds JSON lines; let it end in .jsonl")


def _check_functions(flags: Flags, corpus: Corpus, functions: Functions) -> None:
    """Raises InputError where no function can be one: too few for the ranks, or without words."""
    if (wrong := len(functions.pair_M) - 1) < flags.ranks[0]:
        raise InputError(
            f"--ranks {flags.ranks[0]} {flags.ranks[1]}, but {corpus.language} has {wrong} wrong "
            "functions to train on"
        )
    if flags.model == "bm25":
        from softnce_jax.retrieval.bm25 import words

        if not any(words(corpus.train[r].code) for r in functions.pair_M):
            raise InputError(
                f"--model bm25 finds no word in any of the {wrong + 1} {corpus.language} functions "
                "to train on: rank them by a model"
            )


def _mine(
    flags: Flags, corpus: Corpus, functions: Functions, model: Precomputed | None
) -> MinedNegatives:
    """The hard negatives of one language, as indices of its functions."""
    from softnce_jax.data.corpus import correct_functions
    from softnce_jax.retrieval.negatives import Selection, hard_negatives

    search = _search(flags, corpus, functions, model)
    selection = Selection(flags.k, *flags.ranks, flags.absolute_margin, flags.relative_margin)
    correct = correct_functions(corpus.train, functions)
    try:
        return hard_negatives(search, correct, selection, candidates=len(functions.pair_M))
    except ValueError as error:  # vectors that are not finite
        raise InputError(f"{flags.model}: {error}") from error


def _search(
    flags: Flags, corpus: Corpus, functions: Functions, model: Precomputed | None
) -> Search:
    """Ranks functions for the training queries, by BM25 or by the model."""
    from softnce_jax.estimators.precomputed import precomputed_features
    from softnce_jax.retrieval.negatives import bm25_search, vector_search
    from softnce_jax.train.setup import cache_folder

    if model is None:
        queries = [pair.query for pair in corpus.train]
        codes = [corpus.train[r].code for r in functions.pair_M]
        return bm25_search(queries, codes, functions.function_R)
    folder = cache_folder(flags.data, "features")
    a_RF, b_RF = precomputed_features(model, corpus.train, folder=folder)
    return vector_search(a_RF, b_RF[functions.pair_M], functions.function_R)


def _lines(
    corpus: Corpus, functions: Functions, negatives: MinedNegatives
) -> Iterator[dict[str, Any]]:
    """A line of the file for every pair."""
    urls = [corpus.train[r].url for r in functions.pair_M]
    for pair, positive, index_K, score_K in zip(
        corpus.train,
        negatives.positive_Q.tolist(),
        negatives.index_QK,
        negatives.score_QK,
        strict=True,
    ):
        is_mined_K = index_K >= 0
        yield {
            "language": pair.language,
            "url": pair.url,
            "query": pair.query,
            "score": positive,
            "negatives": [urls[m] for m in index_K[is_mined_K]],
            "scores": score_K[is_mined_K].tolist(),
        }


def _report(
    flags: Flags, corpus: Corpus, functions: Functions, negatives: MinedNegatives
) -> dict[str, int]:
    """Logs and returns how many queries have fewer negatives than wanted."""
    number_Q = (negatives.index_QK >= 0).sum(axis=1)
    short, none = int((number_Q < flags.k).sum()), int((number_Q == 0).sum())
    slots = negatives.index_QK.size
    line = (
        f"{corpus.language}: {len(corpus.train)} training queries, {len(functions.pair_M)} "
        f"functions; {short} of {len(corpus.train)} queries have fewer than {flags.k} negatives "
        f"left, {none} none"
    )
    if missing := slots - int(number_Q.sum()):
        line += f": in training, functions drawn at random take the {missing} of {slots} slots"
    log.info(line)
    return {"all": len(corpus.train), "short": short, "none": none}


def _default_out(flags: Flags, model: Precomputed | None) -> Path:
    """Beside the data, named after the flags that make it."""
    from softnce_jax.train.setup import cache_folder

    ranking = "bm25" if model is None else f"{to_path(flags.model).name}-{model.hash[:8]}"
    parts = [flags.lang, safe_name(ranking), str(flags.k)]
    parts += [f"ranks{flags.ranks[0]}-{flags.ranks[1]}"] * (flags.ranks != (1, 100))
    for name in ("absolute_margin", "relative_margin", "fold"):
        value = getattr(flags, name)
        parts += [f"{name.split('_')[0]}{value}"] * (value is not None)
    return cache_folder(flags.data, "negatives") / f"{'-'.join(parts)}.jsonl"
