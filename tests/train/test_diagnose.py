"""The warning about weights that change nothing; information and divergence by float64 loops."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from softnce_jax.data.sample import load_sample
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.pretrained.tiny import train_tokenizer
from softnce_jax.train.batches import batch_indices
from softnce_jax.train.config import Config, resolve
from softnce_jax.train.diagnose import (
    FIRST_STEPS,
    Evaluated,
    Vectors,
    WeightWatch,
    analyse,
    divergence,
)
from tests import reference

SCALE = 3.0
FINE = {"loss": 1.0, "p_mean": 0.1, "p_max": 0.5, "weight_spread": 0.6}
FLAT = FINE | {"p_max": 0.101, "weight_spread": 0.01}
ONE_HOT = FINE | {"p_max": 0.995, "weight_spread": 0.9}
# No row has a negative.
ALONE = {"loss": 0.0, "grad_norm": 0.0, "p_mean": math.nan, "p_max": 0.0, "weight_spread": 0.0}


def warnings(steps: list[dict], *, left: int = 100) -> list[tuple[int, str]]:
    """The steps at which something was said, and what."""
    watch = WeightWatch(left)
    said = [(n, watch(values)) for n, values in enumerate(steps, start=1)]
    return [(n, line) for n, line in said if line is not None]


@pytest.mark.parametrize(
    ("values", "cure"),
    [
        (FLAT, "lower --temperature or raise --alpha"),
        (ONE_HOT, "raise --temperature"),
        (FLAT | {"p_mean": 1.0, "p_max": 1.0}, "larger --batch-size"),
        (ALONE, "use --duplicates keep or other data"),
        ({"loss": 0.0, "grad_norm": 0.0}, "use --duplicates keep or other data"),
    ],
)
def test_told_once_after_the_first_steps(values, cure):
    ((step, line),) = warnings([values] * 30)
    assert step == FIRST_STEPS and line.endswith(cure) and "\n" not in line
    ((step, _),) = warnings([values] * 30, left=4)
    assert step == 4


@pytest.mark.parametrize("values", [FLAT, ONE_HOT])
def test_one_step_that_differs_is_enough_to_stay_silent(values):
    assert warnings([values] * 3 + [FINE] + [values] * 30) == []
    assert warnings([FINE] * 30) == []


def test_why_nothing_was_learned():
    saturated = ALONE | {"p_mean": 0.1}
    for values, why in ((ALONE, "no row had negatives"), (saturated, "loss and gradient were 0")):
        ((_, line),) = warnings([values] * 10)
        assert f"{why}, so nothing was learned" in line


def test_steps_in_which_no_row_had_negatives_say_nothing_of_the_weights():
    ((_, line),) = warnings([FLAT] * 9 + [ALONE])
    assert "within 0.01 of 1" in line and "flat is 0.100" in line
    assert warnings([ALONE] * 9 + [FINE]) == []
    assert warnings([ALONE] * 9 + [{"loss": 0.0, "grad_norm": 1e-9}]) == []


def test_losses_without_weights_have_no_warning():
    assert warnings([{"loss": 1.0}] * 30) == []


def kl(similarity, score, temperature):
    """KL(S ‖ P) of every row, entry by entry."""
    rows = []
    for i in range(len(score)):
        others = [j for j in range(len(score)) if j != i]
        s = [math.exp(float(similarity[i][j]) / temperature) for j in others]
        p = [math.exp(float(score[i][j])) for j in others]
        total_s, total_p = math.fsum(s), math.fsum(p)
        terms = [
            a / total_s * math.log((a / total_s) / (b / total_p)) for a, b in zip(s, p, strict=True)
        ]
        rows.append(math.fsum(terms))
    return rows


def test_divergence_equals_a_loop():
    random = np.random.default_rng(0)
    similarity, score = random.normal(size=(2, 7, 7)) * 3
    found = divergence(similarity, score, temperature=0.7)
    np.testing.assert_allclose(found, kl(similarity, score, 0.7), rtol=1e-12)
    assert (found > 0).all()
    moved = similarity + 100 * np.eye(7)  # the diagonal is no negative
    np.testing.assert_allclose(divergence(moved, score, temperature=0.7), found, rtol=1e-12)
    # Controls: the temperature counts, and the two sides are not alike.
    assert np.abs(divergence(similarity, score, temperature=1.0) - found).max() > 0.01
    assert np.abs(divergence(score, similarity, temperature=0.7) - found).max() > 0.01


def test_divergence_is_finite_at_extremes_and_checks_shapes():
    random = np.random.default_rng(1)
    similarity, score = random.choice([-300.0, 0.0, 300.0], (2, 5, 5))
    assert np.isfinite(divergence(similarity, score, temperature=0.1)).all()
    with pytest.raises(ValueError, match="give two"):
        divergence(np.ones((2, 3)), np.ones((2, 3)), temperature=1.0)


@pytest.fixture(scope="module")
def processor():
    pairs = load_sample("go").train
    fast = train_tokenizer([text for pair in pairs for text in (pair.query, pair.code)], 300)
    return Processor(Tokenizer(fast), 16, 32)


def analysed(processor, pairs, q, c, **given) -> dict:
    config, _ = resolve(Config(**given), on_sample=True, train_pairs=128)
    systems = {"other": Vectors(c, q, 2 * SCALE), "mine": Vectors(q, c, SCALE)}
    found = analyse(config, Evaluated(pairs, systems), processor, {}, Path("unused"))
    assert found.keys() == {"other", "mine"}
    return found["mine"]


def test_analysis_equals_loops_over_the_batches(processor):
    pairs = load_sample("go").test[:20]
    random = np.random.default_rng(2)
    q, c = random.normal(size=(2, 20, 6)).astype(np.float32) * 0.3
    found = analysed(processor, pairs, q, c, batch_size=8, seed=3)
    assert (found["batch_size"], found["batches"]) == (8, 2)
    words = processor.queries([pair.query for pair in pairs])
    average = np.mean([sum(t > 3 for t in row) for row in words])
    losses, soft, divergences = [], [], []
    for n in range(2):
        index = np.asarray(batch_indices(20, 8, 3)[n])
        similarity = reference.bm25([words[i] for i in index], average)
        w = reference.negative_weights(similarity, alpha=1.5, beta=0.5, temperature=1.0)
        losses += reference.infonce(q[index], c[index], scale=SCALE)
        soft += reference.soft_infonce(q[index], c[index], w, scale=SCALE)
        divergences += kl(similarity, SCALE * (q[index] @ c[index].T), 1.0)
    information = found["mutual_information"]
    assert information["infonce"] == pytest.approx(math.log(8) - np.mean(losses), abs=1e-6)
    assert information["soft_infonce"] == pytest.approx(math.log(8) - np.mean(soft), abs=1e-5)
    assert found["kl"] == {"bm25": pytest.approx(np.mean(divergences), abs=1e-5)}
    # Controls: another seed draws other negatives; the two losses differ.
    other = analysed(processor, pairs, q, c, batch_size=8, seed=4)
    assert abs(other["kl"]["bm25"] - found["kl"]["bm25"]) > 1e-3
    assert abs(information["infonce"] - information["soft_infonce"]) > 1e-3


def test_infonce_is_measured_against_bm25_too(processor):
    pairs = load_sample("go").test[:8]
    q, c = np.random.default_rng(2).normal(size=(2, 8, 6)).astype(np.float32)
    found = analysed(processor, pairs, q, c, batch_size=8, loss="infonce")
    assert found["mutual_information"].keys() == {"infonce"} and found["kl"].keys() == {"bm25"}


def test_hard_negatives_are_no_part_of_it_and_duplicates_are(processor):
    pairs = load_sample("go").test[:20]
    q, c = np.random.default_rng(2).normal(size=(2, 20, 6)).astype(np.float32)
    plain = analysed(processor, pairs, q, c, batch_size=8)
    assert (
        analysed(processor, pairs, q, c, batch_size=8, negatives="x", negatives_per_query=2)
        == plain
    )
    for duplicates in ("exclude", "weight"):
        found = analysed(processor, pairs, q, c, batch_size=8, duplicates=duplicates)
        assert abs(found["mutual_information"]["soft_infonce"]
                   - plain["mutual_information"]["soft_infonce"]) > 1e-3  # fmt: skip


def test_too_few_queries_for_a_batch(processor):
    pairs = load_sample("go").test[:7]
    assert analysed(processor, pairs, np.ones((7, 2)), np.ones((7, 2)), batch_size=8) == {}
