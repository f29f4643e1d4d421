"""Corpora: shared texts, functions of pairs, distinct queries and paraphrases, folds by family."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter

import numpy as np
import pytest

from softnce_jax.data.corpus import (
    FOLDS,
    Candidate,
    Corpus,
    Pair,
    answer_keys,
    correct_functions,
    paraphrases,
    shared_texts,
    split_by_family,
    text_keys,
    unique_functions,
    unique_queries,
)
from softnce_jax.data.sample import load_sample
from softnce_jax.errors import InputError
from softnce_jax.languages import LANGUAGES

TEXTS = [  # query, code, url, language
    ("sort", "a", "u", "go"),
    ("order", "a", "u", "go"),
    ("sum", "b", "v", "go"),
    ("sort", "c", "w", "go"),
    ("find", "d", "u", "php"),  # another language: another function
    ("find", "e", "x", "go"),
    ("Find", "f", "y", "go"),
]
PAIRS = [Pair(*text) for text in TEXTS]


def test_a_row_of_one_text_has_it_for_both():
    for row in (Pair("q", "f ( )", "u", "go"), Candidate("f ( )", "u", "go", "family")):
        assert row.source is row.code
        again = dataclasses.replace(row, source="".join(["f ", "( )"]))
        assert again.source is again.code and again == row and hash(again) == hash(row)
        other = dataclasses.replace(row, source="f()")
        assert (other.code, other.source) == ("f ( )", "f()") and other != row


def corpus_of(pairs: list[Pair], codebase: list[Candidate]) -> Corpus:
    return Corpus("x", "go", pairs, [], [], codebase)


def test_the_hash_covers_both_texts_and_is_the_old_one_where_they_are_one():
    pairs, codebase = PAIRS[:2], [Candidate("a", "u", "go", "family")]
    old = hashlib.sha256()
    for rows in (pairs, [], [], codebase):
        for r in rows:
            text = (getattr(r, "query", None), r.code, r.url, r.language, r.family)
            old.update(json.dumps(text).encode())
        old.update(b"\0")
    assert corpus_of(pairs, codebase).hash() == old.hexdigest()
    hashes = {old.hexdigest()}
    for text in ("a()", "a ()"):
        other = [dataclasses.replace(pairs[0], source=text), pairs[1]]
        hashes.add(corpus_of(other, codebase).hash())
        hashes.add(corpus_of(pairs, [dataclasses.replace(codebase[0], source=text)]).hash())
    assert len(hashes) == 5


def test_shared_texts_are_counted():
    shared = shared_texts(PAIRS)
    assert shared == (5, 4, 2)  # all but "sum" and "Find"; sort, sort, find, find; a, a
    assert shared_texts(PAIRS[2:4]) == (0, 0, 0)
    sample = load_sample("ruby").train
    codes = Counter(pair.code for pair in sample)
    assert shared_texts(sample).code == sum(codes[pair.code] > 1 for pair in sample) == 128


def test_functions_differ_in_language_or_url():
    functions = unique_functions(PAIRS)
    assert functions.function_R.tolist() == [0, 0, 1, 2, 3, 4, 5]
    assert functions.pair_M.tolist() == [0, 2, 3, 4, 5, 6]


def test_correct_functions_have_a_text_of_the_pair():
    found = correct_functions(PAIRS, unique_functions(PAIRS))
    expected = []
    for pair in PAIRS:
        same = [p for p in PAIRS if p.query == pair.query or p.code == pair.code]
        expected.append(sorted({unique_functions(PAIRS).function_R[PAIRS.index(p)] for p in same}))
    assert found == expected == [[0, 2], [0], [1], [0, 2], [3, 4], [3, 4], [5]]


def test_keys_of_all_queries_of_a_function():
    found = answer_keys(PAIRS)
    sort, order, total, find = text_keys(["sort", "order", "sum", "find"]).tolist()
    assert found.shape == (7, 2) and found.dtype == np.int32
    assert found[:5].tolist() == [[sort, order]] * 2 + [[total] * 2, [sort] * 2, [find] * 2]


def test_keys_are_equal_where_texts_are():
    texts = ["a b", "a  b", "", "\udc80", "é", "a b"]
    keys = text_keys(texts)
    assert keys.dtype == np.int32 and keys[0] == keys[5] and len(set(keys.tolist())) == 5
    # Not Python's hash(), which is another in each process.
    digest = hashlib.blake2b(b"a b", digest_size=4).digest()
    assert int.from_bytes(digest, "little", signed=True) == keys[0]


def pairs_of(*rows):
    return [Pair(query, "code", url, language) for query, url, language in rows]


def test_the_first_of_each_query_is_kept_in_order():
    pairs = pairs_of(
        ("sum", "a", "go"), ("Sort\ta list", "b", "go"), ("sort a list ", "c", "java"),
        ("sort a list!", "d", "go"), ("SUM", "e", "go"),
    )  # fmt: skip
    assert unique_queries(pairs) == [pairs[0], pairs[1], pairs[3]]
    assert unique_queries([]) == []


def test_paraphrases_share_language_and_url():
    pairs = pairs_of(
        ("one", "a", "go"), ("two", "b", "go"), ("three", "a", "go"), ("Two", "a", "java"),
        ("four", "a", "java"), ("ONE", "a", "go"), ("five", "a", "go"),
    )  # fmt: skip
    queries = unique_queries(pairs)
    assert [pair.query for pair in queries] == ["one", "two", "three", "four", "five"]
    assert paraphrases(pairs, queries) == [(0, 2), (0, 4), (1, 3), (2, 4)]


def test_the_sample_asks_everything_twice_in_every_language():
    pairs = [pair for language in LANGUAGES for pair in load_sample(language).valid]
    queries = unique_queries(pairs)
    assert (len(pairs), len(queries)) == (16 * len(LANGUAGES), 16)
    assert paraphrases(pairs, queries) == [(n, n + 1) for n in range(0, 16, 2)]


def families(pairs) -> set[str]:
    return {pair.family for pair in pairs}


@pytest.mark.parametrize("fold", range(FOLDS))
def test_no_family_is_in_two_splits(fold):
    whole = load_sample("go")
    corpus = split_by_family(whole, fold)
    splits = [families(s) for s in (corpus.train, corpus.valid, corpus.test)]
    assert [len(s) for s in splits] == [9, 3, 4] and len(set.union(*splits)) == 16
    assert corpus.codebase == whole.codebase
    assert len(corpus.train) + len(corpus.valid) + len(corpus.test) == 192
    # The control: the sample's own splits are by task, so they share families.
    assert families(whole.train) & families(whole.test)


def test_every_pair_is_tested_once_and_languages_agree():
    folds = [split_by_family(load_sample("ruby"), fold) for fold in range(FOLDS)]
    tested = [(pair.url, pair.query) for corpus in folds for pair in corpus.test]
    assert len(tested) == len(set(tested)) == 192
    for language in LANGUAGES:
        assert families(split_by_family(load_sample(language), 2).test) == families(folds[2].test)
    assert len({corpus.hash() for corpus in folds}) == FOLDS


def test_what_cannot_be_folded():
    corpus = load_sample("ruby")
    with pytest.raises(InputError, match="--fold 4: there are folds 0 to 3"):
        split_by_family(corpus, 4)
    few = [pair for pair in corpus.train if pair.family in ("dates", "money")]
    with pytest.raises(InputError, match="at least 8 families, got 2"):
        split_by_family(dataclasses.replace(corpus, train=few, valid=[], test=[]), 0)
    alone = [dataclasses.replace(corpus.train[0], family=None)]
    with pytest.raises(InputError, match=r"sample/ruby/.* has none"):
        split_by_family(dataclasses.replace(corpus, valid=alone), 0)
