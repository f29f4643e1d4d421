"""Folds over families: nothing tested is trained on, everything is tested once."""

from __future__ import annotations

import dataclasses

import pytest

from softnce_jax.data.corpus import FOLDS, LANGUAGES, over_families
from softnce_jax.data.sample import load_sample
from softnce_jax.errors import InputError


def names(pairs) -> set[str]:
    return {pair.family for pair in pairs}


@pytest.mark.parametrize("fold", range(FOLDS))
def test_no_family_is_in_two_splits(fold):
    whole = load_sample("go")
    corpus = over_families(whole, fold)
    splits = [names(s) for s in (corpus.train, corpus.valid, corpus.test)]
    assert [len(s) for s in splits] == [9, 3, 4] and len(set.union(*splits)) == 16
    assert corpus.codebase == whole.codebase
    assert len(corpus.train) + len(corpus.valid) + len(corpus.test) == 192
    # The control: the sample's own splits are by task, so they share families.
    assert names(whole.train) & names(whole.test)


def test_every_pair_is_tested_once_and_languages_agree():
    folds = [over_families(load_sample("ruby"), fold) for fold in range(FOLDS)]
    tested = [(pair.url, pair.query) for corpus in folds for pair in corpus.test]
    assert len(tested) == len(set(tested)) == 192
    for language in LANGUAGES:
        assert names(over_families(load_sample(language), 2).test) == names(folds[2].test)
    assert len({corpus.hash() for corpus in folds}) == FOLDS


def test_what_cannot_be_folded():
    corpus = load_sample("ruby")
    with pytest.raises(InputError, match="--fold 4: there are folds 0 to 3"):
        over_families(corpus, 4)
    few = [pair for pair in corpus.train if pair.family in ("dates", "money")]
    with pytest.raises(InputError, match="at least 8 families, got 2"):
        over_families(dataclasses.replace(corpus, train=few, valid=[], test=[]), 0)
    alone = [dataclasses.replace(corpus.train[0], family=None)]
    with pytest.raises(InputError, match=r"sample/ruby/.* has none"):
        over_families(dataclasses.replace(corpus, valid=alone), 0)
