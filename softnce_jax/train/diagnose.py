"""What a run's weights look like, logged every step; a warning where they change nothing."""

from __future__ import annotations

from collections.abc import Callable

import jax

from softnce_jax.data.batches import Batch
from softnce_jax.diagnostics import weight_diagnostics
from softnce_jax.train.config import Config
from softnce_jax.train.objective import kept_pairs, own_columns, similarity_of, target_of

# A batch -> metrics of its step.
Diagnose = Callable[[Batch], dict[str, jax.Array]]

FIRST_STEPS = 10
FLAT = 0.01  # every weight this close to 1
ONE_HOT = 0.99  # of p on one negative, mean over rows


def diagnosis(config: Config) -> Diagnose:
    """The diagnostics of a batch's weights; none for losses without weights."""

    def weights_of(batch: Batch) -> dict[str, jax.Array]:
        similarity_BN = similarity_of(config, batch)
        positive, where = own_columns(*similarity_BN.shape), kept_pairs(config, batch)
        given = {"positive": positive, "where": where}
        w_BN = target_of(config, "w", similarity_BN, **given)
        settings = {"temperature": config.temperature, "floor": config.floor}
        return weight_diagnostics(similarity_BN, w_BN, **settings, **given)

    return weights_of if config.loss == "soft_infonce" else lambda _: {}


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
