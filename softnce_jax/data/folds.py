"""Cross-validation over families: no family is trained on and tested in the same fold."""

from __future__ import annotations

import dataclasses
import hashlib

from softnce_jax.data.corpus import Corpus, Pair
from softnce_jax.errors import InputError

FOLDS = 4
VALID_SHARE = 4  # one in so many of the families that are not tested validates


def over_families(corpus: Corpus, fold: int) -> Corpus:
    """The corpus split anew: its pairs of a quarter of the families are tested.

    All pairs are used, whatever split they came from. A family's fold depends on the families'
    names alone, so every language and every seed has the same folds. Of the families that are not
    tested, a quarter validate. The candidates stay those of the whole language.

    Args:
      corpus: pairs with families.
      fold: 0 to 3; each family is tested in exactly one.

    Returns:
      The corpus with new splits.

    Raises:
      InputError: no such fold, pairs without a family, or too few families.

    Example:
      >>> from softnce_jax.data.sample import load_sample
      >>> corpus = over_families(load_sample("ruby"), 0)
      >>> len(corpus.train), len(corpus.valid), len(corpus.test), len(corpus.codebase)
      (108, 36, 48, 96)
    """
    if fold not in range(FOLDS):
        raise InputError(f"--fold {fold}: there are folds 0 to {FOLDS - 1}")
    pairs = [*corpus.train, *corpus.valid, *corpus.test]
    if alone := [pair.url for pair in pairs if pair.family is None]:
        raise InputError(f"--fold needs families, but {alone[0]} has none: see 'Bring your data'")
    families = sorted({pair.family for pair in pairs}, key=_shuffled)
    if len(families) < 2 * FOLDS:
        raise InputError(f"--fold needs at least {2 * FOLDS} families, got {len(families)}")
    tested = set(families[fold::FOLDS])
    others = [family for family in families if family not in tested]
    valid = set(others[::VALID_SHARE])

    def of(chosen: set[str]) -> list[Pair]:
        return [pair for pair in pairs if pair.family in chosen]

    return dataclasses.replace(
        corpus, train=of({*others} - valid), valid=of(valid), test=of(tested)
    )


def _shuffled(family: str) -> str:
    """A key that orders names as if at random, the same on every machine."""
    return hashlib.sha256(family.encode()).hexdigest()
