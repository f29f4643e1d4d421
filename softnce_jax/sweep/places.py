"""A cell of a table: its figure, its test against InfoNCE and the paper's number."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from softnce_jax.retrieval.results import three
from softnce_jax.sweep.paper import LANGUAGES, is_papers_data, published
from softnce_jax.sweep.scores import Scores, System
from softnce_jax.sweep.statistics import paired_permutation

LEVELS = ((0.01, "**"), (0.05, "*"))


class Place(NamedTuple):
    """What a cell of a table shows: a system in a language, or in the "mean" of several."""

    system: System
    column: str


def cell(scores: Scores, place: Place, p: float | None) -> str:
    """A mean over seeds with its spread, its stars and the paper's number."""
    by_seed = list(figures(scores, place).values())
    text = three(float(np.mean(by_seed)))
    if len(by_seed) > 1:
        text += f" ± {three(float(np.std(by_seed, ddof=1)))}"
    text += next((stars for level, stars in LEVELS if p is not None and p < level), "")
    theirs = paper_mrr(scores, place)
    return text if theirs is None else f"{text} ({three(theirs)})"


def figures(scores: Scores, place: Place) -> dict[int, float]:
    """Seed → the metric of a place: a mean over queries, or the mean of the languages' means."""
    values = scores.values[place.system]
    languages = [*values] if place.column == "mean" else [place.column]
    seeds = set.intersection(*({*values[language]} for language in languages))
    return {
        seed: float(np.mean([values[language][seed].mean() for language in languages]))
        for seed in sorted(seeds)
    }


def p_value(scores: Scores, place: Place) -> float:
    """Of a place against InfoNCE, before any correction."""
    other, values = baseline(scores, place), scores.values[place.system]
    languages = [*values] if place.column == "mean" else [place.column]
    differences, units = [], []
    for language in languages:
        ours, theirs = scores.paired(place.system, other, language)
        differences.append((ours - theirs) / len(ours) / len(languages))
        units.append(scores.units[language])
    return paired_permutation(np.concatenate(differences), np.concatenate(units))


def baseline(scores: Scores, place: Place) -> System | None:
    """The InfoNCE that a place is tested against, None where there is none."""
    other = scores.baseline(place.system)
    if other is None or other == place.system:
        return None
    languages = [*scores.values[place.system]] if place.column == "mean" else [place.column]
    ours, theirs = scores.values[place.system], scores.values[other]
    shared = all(ours[name].keys() & theirs.get(name, {}).keys() for name in languages)
    return other if shared else None


def paper_mrr(scores: Scores, place: Place) -> float | None:
    if scores.metric != "mrr" or place.system.on_all:
        return None
    runs = scores.runs[place.system]
    protocols = {name: about for run in runs for name, about in run.results["protocol"].items()}
    columns = LANGUAGES if place.column == "mean" else (place.column,)
    if all(is_papers_data(name, protocols.get(name, {})) for name in columns):
        return published(runs[0].config | {"encoder": place.system.encoder}, place.column)
    return None
