"""The training loop: step, log, evaluate, save, until the last step or a signal."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import grain
import jax
from jax.sharding import Mesh
from tqdm import tqdm

from softnce_jax.errors import InputError
from softnce_jax.mesh import shard_rows
from softnce_jax.train import distributed
from softnce_jax.train.batches import Batch, load_ahead
from softnce_jax.train.checkpoint import Best, Checkpoints
from softnce_jax.train.config import Config
from softnce_jax.train.diagnose import WeightWatch
from softnce_jax.train.run_folder import RunFolder
from softnce_jax.train.signals import StopSignal
from softnce_jax.train.state import TrainState
from softnce_jax.train.step import Step

Validate = Callable[[Any], dict[str, float]]


class Schedule(NamedTuple):
    """Where a run ends, how often it evaluates and how long it warms up, in steps."""

    total: int
    evaluate: int
    warmup: int


def schedule_of(config: Config, pairs: int) -> Schedule:
    """The steps of a configuration on so many training pairs.

    Raises:
      InputError: rounded to whole steps, the warm-up is as long as the training.
    """
    epoch = pairs // config.batch_size
    total, warmup = config.epochs * epoch, round(config.warmup_epochs * epoch)
    if warmup >= total:
        raise InputError(
            f"--warmup-epochs {config.warmup_epochs} are {warmup} steps of {epoch} an epoch, "
            f"--epochs {config.epochs} {total} steps: fewer warm-up epochs, or more epochs"
        )
    return Schedule(total, max(1, round(config.evaluate_every * epoch)), warmup)


class Loop:
    """Runs steps from a state on.

    Args:
      step: the jitted step.
      batches: element n is this host's rows of batch n.
      urls: the pairs of batch n, to name those of a step that went wrong.
      validate: what parameters are worth on the validation split, by name; the largest
        "valid_mrr" is the best, and without one there is no best.
      steps: when to evaluate and when to end.
      run: where steps are logged.
      checkpoints: where the state is saved after each evaluation, and when a signal comes.
      mesh: the devices.
    """

    def __init__(
        self,
        step: Step,
        batches: grain.MapDataset,
        *,
        urls: Callable[[int], list[str]],
        validate: Validate,
        steps: Schedule,
        run: RunFolder,
        checkpoints: Checkpoints,
        mesh: Mesh,
    ):
        self._step, self._batches, self._mesh = step, batches, mesh
        self._urls, self._validate, self._steps = urls, validate, steps
        self._run, self._checkpoints = run, checkpoints
        self._shapes: set[tuple] = set()

    def warm_up(self, state: TrainState, steps: int) -> int:
        """Compiles the step for the shapes of the next batches; returns how many shapes.

        By steps from copies of the state, which come to nothing.
        """
        done = int(state.step)
        ahead = load_ahead(self._batches, done)
        coming = range(min(steps, self._steps.total - done))
        for _ in tqdm(coming, desc="warming up", unit="batch", disable=not distributed.is_first()):
            batch = next(ahead)
            if self._is_new(batch):
                copy = jax.tree.map(jax.numpy.copy, state)
                jax.block_until_ready(self._step(copy, shard_rows(batch, self._mesh)))
        return len(self._shapes)

    def _is_new(self, batch: Batch) -> bool:
        """Whether the step is compiled for this batch: its shape is met for the first time."""
        shape = tuple(array.shape for array in jax.tree.leaves(batch))
        new = shape not in self._shapes
        self._shapes.add(shape)
        return new

    def __call__(self, state: TrainState, best: Best | None) -> tuple[TrainState, Best | None]:
        """The state after the last step, and the best evaluation.

        Raises:
          FloatingPointError: a loss or gradient is not finite; nothing is saved after it.
          SystemExit: a signal came; the state is saved.
        """
        done = int(state.step)
        if done == self._steps.total:
            return state, best
        ahead = load_ahead(self._batches, done)
        running = None
        agreed = distributed.AgreedStop(self._mesh)
        self._watch = WeightWatch(self._steps.total - done)
        with StopSignal() as stop, self._progress_bar(done) as bar:
            self._clock = time.perf_counter()
            for number in range(done + 1, self._steps.total + 1):
                batch = next(ahead)
                self._is_new(batch)
                state, metrics = self._step(state, shard_rows(batch, self._mesh))
                # The step before is read now that this one is under way.
                if running is not None:
                    self._record(*running, bar)
                running = number, batch.pairs * jax.process_count(), metrics
                due = number % self._steps.evaluate == 0 or number == self._steps.total
                stopped = agreed(stop.received)
                if due or stopped:
                    self._record(*running, bar)
                    running = None
                    best = self._evaluate(number, state, best) if due else best
                    self._checkpoints.save(state, best)
                if stopped:
                    break
            self._checkpoints.wait()
        if stopped and number < self._steps.total:
            if distributed.is_first():
                name = signal.Signals(stopped).name
                print(f"{name}: saved step {number}; the same command resumes", file=sys.stderr)
            raise SystemExit(128 + stopped)
        return state, best

    def _record(self, number: int, pairs: int, metrics: dict, bar: tqdm) -> None:
        """Logs a step; raises FloatingPointError where it went wrong."""
        values = {name: float(value) for name, value in metrics.items()}
        if not (math.isfinite(values["loss"]) and math.isfinite(values["grad_norm"])):
            kept = self._checkpoints.latest()
            raise FloatingPointError(
                f"step {number}: loss {values['loss']}, gradient norm {values['grad_norm']}; "
                f"last checkpoint: {'none' if kept is None else f'step {kept}'}; "
                f"pairs of the batch: {', '.join(self._urls(number - 1))}"
            )
        now = time.perf_counter()
        rate, self._clock = pairs / (now - self._clock), now
        counts = {"pairs_per_second": round(rate, 1), "compilations": len(self._shapes)}
        self._run.log({"step": number, **values, **counts})
        if (warning := self._watch(values)) and distributed.is_first():
            bar.write(warning, file=sys.stderr)
        bar.set_postfix(loss=f"{values['loss']:.3f}", pairs_s=f"{rate:.0f}", refresh=False)
        bar.update()

    def _evaluate(self, number: int, state: TrainState, best: Best | None) -> Best | None:
        """The better of this evaluation and the best so far."""
        values = self._validate(state.params)
        self._run.log({"step": number, **values})
        self._clock = time.perf_counter()
        mrr = values.get("valid_mrr")
        better = mrr is not None and (best is None or mrr > best.mrr)
        return Best(number, mrr) if better else best

    def _progress_bar(self, done: int) -> tqdm:
        # A terminal is redrawn often; a log file gets a line now and then.
        calm = 0.2 if sys.stderr.isatty() else 20
        return tqdm(
            total=self._steps.total,
            initial=done,
            desc="training",
            unit="step",
            mininterval=calm,
            disable=not distributed.is_first(),
        )
