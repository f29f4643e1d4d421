"""What a run's weights look like, logged every step; a warning where they change nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax

from softnce_jax.diagnostics import weight_diagnostics
from softnce_jax.train.batches import Batch
from softnce_jax.train.config import Config
from softnce_jax.train.objective import (
    DENSE_PAIRS,
    kept_pairs,
    own_of,
    similarity_of,
    target_of,
)

# A batch -> metrics of its step.
Diagnose = Callable[[Batch], dict[str, jax.Array]]

FIRST_STEPS = 10
FLAT = 0.01  # every weight this close to 1
ONE_HOT = 0.99  # of p on one negative, mean over rows
SAMPLE = 256  # rows that are looked at where the batch is large


def diagnosis(config: Config) -> Diagnose:
    """The diagnostics of a batch's weights; none for losses without weights.

    They are those of all rows up to DENSE_PAIRS pairs; of a larger batch, of 256 rows that stand at
    equal distances in it, each against all candidates. Batches are drawn at random, so any rows are
    a sample; `weight_spread` is then the largest of these rows.
    """

    def weights_of(batch: Batch) -> dict[str, jax.Array]:
        rows, columns = len(batch.query_features), len(batch.code_features)
        own = own_of(batch, rows, columns)
        if rows * columns > DENSE_PAIRS:
            own = jax.tree.map(functools.partial(every, rows=SAMPLE), own)
        similarity_RN = similarity_of(config, batch, own)
        given = {"positive": own.positive_B, "where": kept_pairs(config, batch, own)}
        w_RN = target_of(config, "w", similarity_RN, **given)
        settings = {"temperature": config.temperature, "floor": config.floor}
        return weight_diagnostics(similarity_RN, w_RN, **settings, **given)

    return weights_of if config.loss == "soft_infonce" else lambda _: {}


def every(x_B: jax.Array, *, rows: int) -> jax.Array:
    """So many rows at equal distances; all where there are no more.

    Example:
      >>> every(jax.numpy.arange(11), rows=5).tolist()
      [0, 2, 4, 6, 8]
    """
    return x_B[:: max(1, len(x_B) // rows)][:rows]


class WeightWatch:
    """Reads the first steps' metrics and says once where Soft-InfoNCE is no other loss.

    Example:
      >>> watch = WeightWatch(steps_left=1)
      >>> watch({"p_mean": 0.02, "p_max": 0.021, "weight_spread": 0.001})
      'warning: in the first 1 steps every weight was within 0.01 of 1, so Soft-InfoNCE is InfoNCE
       (p_max 0.021, flat is 0.020): lower --temperature or raise --alpha'
    """

    def __init__(self, steps_left: int):
        self._steps = min(FIRST_STEPS, steps_left)
        self._seen: list[dict[str, float]] = []

    def __call__(self, values: dict[str, float]) -> str | None:
        """Takes a step's metrics; the warning, after the last of the first steps."""
        if "weight_spread" not in values or len(self._seen) == self._steps:
            return None
        self._seen.append(values)
        return self._judge() if len(self._seen) == self._steps else None

    def _judge(self) -> str | None:
        first = f"warning: in the first {self._steps} steps"
        p_max, flat = self._seen[-1]["p_max"], self._seen[-1]["p_mean"]
        if flat > ONE_HOT:
            return f"{first} the only negative had weight 1: use a larger --batch-size"
        if all(values["weight_spread"] <= FLAT for values in self._seen):
            return (
                f"{first} every weight was within {FLAT} of 1, so Soft-InfoNCE is InfoNCE "
                f"(p_max {p_max:.3f}, flat is {flat:.3f}): lower --temperature or raise --alpha"
            )
        if all(values["p_max"] >= ONE_HOT for values in self._seen):
            return (
                f"{first} one negative of each row had all of p, so Soft-InfoNCE is InfoNCE with "
                f"that one weakened (p_max {p_max:.3f}): raise --temperature"
            )
        return None
