"""Mining hard negatives with BM25, or with a frozen model whose vectors are kept as a teacher's."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from softnce_jax.data.corpus import Corpus
from softnce_jax.data.duplicates import Functions, answers, functions_of
from softnce_jax.data.hard_negatives import training_hashes, write_negatives
from softnce_jax.errors import InputError
from softnce_jax.estimators.precomputed import Frozen, frozen_features
from softnce_jax.estimators.teacher import teacher
from softnce_jax.retrieval.negatives import (
    Hard,
    Search,
    Wanted,
    bm25_search,
    hard_negatives,
    vector_search,
)
from softnce_jax.train.hard_negatives_config import HardNegativesConfig, check
from softnce_jax.train.setup import cache_folder, check_splits, read_corpora


def mine_negatives(config: HardNegativesConfig, say: Callable[[str], None] = print) -> Path:
    """Writes the hard negatives of every training query; returns the file.

    Raises:
      InputError: a model, data or numbers that cannot be used, before any work.
    """
    check(config)
    corpora, notes = read_corpora(config)
    check_splits(corpora, ("train",))
    functions = [functions_of(corpus.train) for corpus in corpora]
    for corpus, found in zip(corpora, functions, strict=True):
        check_functions(config, corpus, found)
    model = None if config.model == "bm25" else teacher(config.model, download=config.download)
    for line in notes:
        say(line)
    mined, counts = [], {}
    for corpus, found in zip(corpora, functions, strict=True):
        hard = mine(config, corpus, found, model, say)
        counts[corpus.language] = report(config, corpus, found, hard, say)
        mined.append((corpus, found, hard))
    out = Path(config.out) if config.out else default_out(config, model)
    about = {"k": config.k, "model": config.model, "model_hash": model and model.hash}
    about |= {name: getattr(config, name) for name in ("ranks", "absolute_margin")}
    about |= {"relative_margin": config.relative_margin, "queries": counts}
    hashes = training_hashes([pair for corpus in corpora for pair in corpus.train])
    rows = itertools.chain.from_iterable(itertools.starmap(lines, mined))
    write_negatives(out, about | {"train": hashes}, rows)
    say(f"{out}: give it to finetune.py as --negatives, with the same --lang and --data")
    return out


def check_functions(config: HardNegativesConfig, corpus: Corpus, functions: Functions) -> None:
    """Raises where the first rank wanted is beyond all functions."""
    if (wrong := len(functions.pair_M) - 1) < config.ranks[0]:
        raise InputError(
            f"--ranks {config.ranks[0]} {config.ranks[1]}, but {corpus.language} has {wrong} wrong "
            "functions to train on"
        )


def mine(
    config: HardNegativesConfig,
    corpus: Corpus,
    functions: Functions,
    model: Frozen | None,
    say: Callable[[str], None],
) -> Hard:
    """The hard negatives of one language, as numbers of its functions."""
    search = searcher(config, corpus, functions, model, say)
    wanted = Wanted(config.k, *config.ranks, config.absolute_margin, config.relative_margin)
    right = answers(corpus.train, functions)
    try:
        return hard_negatives(search, right, wanted, candidates=len(functions.pair_M))
    except ValueError as error:  # vectors that are not finite
        raise InputError(f"{config.model}: {error}") from error


def searcher(
    config: HardNegativesConfig,
    corpus: Corpus,
    functions: Functions,
    model: Frozen | None,
    say: Callable[[str], None],
) -> Search:
    """What finds functions for the training queries."""
    if model is None:
        queries = [pair.query for pair in corpus.train]
        codes = [corpus.train[r].code for r in functions.pair_M]
        return bm25_search(queries, codes, functions.of_R)
    folder = cache_folder(config.data, "features")
    a_RF, b_RF = frozen_features(model, corpus.train, folder=folder, say=say)
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
    config: HardNegativesConfig,
    corpus: Corpus,
    functions: Functions,
    hard: Hard,
    say: Callable[[str], None],
) -> dict[str, int]:
    """Tells and returns how many queries have fewer negatives than wanted."""
    number_Q = (hard.index_QK >= 0).sum(axis=1)
    short, none = int((number_Q < config.k).sum()), int((number_Q == 0).sum())
    missing = hard.index_QK.size - int(number_Q.sum())
    say(
        f"{corpus.language}: {len(corpus.train)} training queries, {len(functions.pair_M)} "
        f"functions; {short} of {len(corpus.train)} queries have fewer than {config.k} negatives "
        f"left, {none} none" + (
            f": in training, functions drawn at random take the {missing} of {hard.index_QK.size} "
            "places" if missing else ""
        )
    )  # fmt: skip
    return {"all": len(corpus.train), "short": short, "none": none}


def default_out(config: HardNegativesConfig, model: Frozen | None) -> Path:
    """Beside the data, named by what makes it."""
    ranking = "bm25" if model is None else f"{Path(config.model).name}-{model.hash[:8]}"
    parts = [config.lang, re.sub(r"[^\w.+-]", "_", ranking), str(config.k)]
    parts += [f"ranks{config.ranks[0]}-{config.ranks[1]}"] * (config.ranks != (1, 100))
    for name in ("absolute_margin", "relative_margin", "fold"):
        value = getattr(config, name)
        parts += [f"{name.split('_')[0]}{value}"] * (value is not None)
    return cache_folder(config.data, "negatives") / f"{'-'.join(parts)}.jsonl"
