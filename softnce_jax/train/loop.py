"""The training loop: step and state, restore; then step, log, evaluate, save to the last step."""

from __future__ import annotations

import dataclasses
import logging
import math
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh
from tqdm import tqdm

from softnce_jax.encoders.embed import Embedder
from softnce_jax.mesh import shard_rows
from softnce_jax.train import distributed
from softnce_jax.train.batches import Batch, TrainingBatches, load_ahead
from softnce_jax.train.checkpoint import Best, Checkpoints
from softnce_jax.train.config import Config
from softnce_jax.train.diagnose import WeightWatch
from softnce_jax.train.run_folder import RunFolder
from softnce_jax.train.setup import Schedule, build_step
from softnce_jax.train.signals import StopSignal
from softnce_jax.train.state import TrainState, TrainStateWithScale
from softnce_jax.train.step import Step

log = logging.getLogger(__name__)


class Trained(NamedTuple):
    """What training ends with.

    Attributes:
      params: the best ones, on the host; the last ones where `validate` knows no best.
      best: their evaluation, or None.
      scale: learned beside them; None where it is not learned.
    """

    params: Any
    best: Best | None
    scale: float | None


# Parameters -> measures of them on the validation split, by name.
Validate = Callable[[Any], dict[str, float]]


def train(
    config: Config,
    run: RunFolder,
    embedder: Embedder,
    initial: Any,
    batches: TrainingBatches,
    schedule: Schedule,
    validate: Validate,
) -> Trained:
    """Trains to the last step, from the last checkpoint on where there is one.

    Args:
      config: settled.
      run: where steps are logged and checkpoints lie.
      embedder: the encoder and its mesh.
      initial: parameters before training, on the host.
      batches: what each step reads.
      schedule: when to evaluate and when to end.
      validate: its largest "valid_mrr" is the best; without one there is no best.

    Raises:
      FloatingPointError: a loss or gradient is not finite; nothing is saved after it.
      SystemExit: a signal came; the state is saved.
    """
    # Not the caller's: a state that a checkpoint replaces must leave the device.
    step, state = build_step(config, embedder.encoder, initial, schedule, embedder.mesh)
    with run.locked(), Checkpoints(run.checkpoints, run.config, keep=config.keep) as checkpoints:
        best = None
        if (restored := checkpoints.restore(state)) is not None:
            state, best = restored
            log.info(f"resuming after step {int(state.step)} of {schedule.total}")
        run.cut_metrics(int(state.step))
        loop = Loop(
            step, batches, embedder.mesh, schedule, run, checkpoints, validate, config.clip_norm
        )
        if config.warm_up:
            shapes = loop.warm_up(state, steps=schedule.total // config.epochs)
            log.info(f"compiled for {shapes} shapes of batches")
        with run.events(config.log):
            state, best = loop(state, best)
        if distributed.is_first():  # others may see a part of the file
            log.info(_clipped_line(run.metrics(), config.clip_norm))
        if best is not None and best.step != int(state.step):
            state = checkpoints.restore_step(best.step, state).state
        scale = math.exp(state.scale.log) if isinstance(state, TrainStateWithScale) else None
        return Trained(jax.device_get(state.params), best, scale)


def _clipped_line(metrics: list[dict], clip_norm: float) -> str:
    """How many steps had their gradients clipped, of those that metrics.jsonl has.

    Example:
      >>> _clipped_line([{"step": 1, "clipped": 1}, {"step": 2, "clipped": 0}, {"step": 2}], 1.0)
      'gradients of 1 of 2 steps (50 %) were clipped to --clip-norm 1'
    """
    steps = [line["clipped"] for line in metrics if "clipped" in line]
    share = sum(steps) / max(1, len(steps))
    return (
        f"gradients of {sum(steps)} of {len(steps)} steps ({share:.0%}) were clipped to "
        f"--clip-norm {clip_norm:g}"
    ).replace("%", " %")


class _Running(NamedTuple):
    """A step that the device may still be at work on."""

    number: int
    pairs: int
    metrics: dict[str, jax.Array]


@dataclasses.dataclass
class Loop:
    """Steps from a state to the end of the schedule. Fields are as in `train`."""

    step: Step
    batches: TrainingBatches
    mesh: Mesh
    schedule: Schedule
    run: RunFolder
    checkpoints: Checkpoints
    validate: Validate
    clip_norm: float

    def __post_init__(self):
        self._shapes: set[tuple] = set()  # of batches, each one compilation of the step
        self._clock = 0.0

    def warm_up(self, state: TrainState, steps: int) -> int:
        """Compiles the step for the shapes of the next batches; returns the number of shapes.

        Runs the step on throwaway copies of the state: to lower and compile it would not fill the
        cache that a call looks into.
        """
        done = int(state.step)
        ahead = load_ahead(self.batches.dataset, done)
        coming = range(min(steps, self.schedule.total - done))
        for _ in tqdm(coming, desc="warming up", unit="batch", disable=not distributed.is_first()):
            batch = next(ahead)
            if self._is_new_shape(batch):
                copy = jax.tree.map(jax.numpy.copy, state)
                jax.block_until_ready(self.step(copy, shard_rows(batch, self.mesh)))
        return len(self._shapes)

    def __call__(self, state: TrainState, best: Best | None) -> tuple[TrainState, Best | None]:
        """The state after the last step, and the best evaluation. Raises as `train`."""
        done, total = int(state.step), self.schedule.total
        if done == total:
            return state, best
        ahead = load_ahead(self.batches.dataset, done)
        agreed_stop = distributed.AgreedStop(self.mesh)
        watch = WeightWatch(total - done)
        running: _Running | None = None
        with StopSignal() as stop, self._progress_bar(done) as bar:
            self._clock = time.perf_counter()
            for number in range(done + 1, total + 1):
                batch = next(ahead)
                self._is_new_shape(batch)  # counted for the log
                state, metrics = self.step(state, shard_rows(batch, self.mesh))
                # The step before is read now that this one is under way: the device never waits.
                if running is not None:
                    self._record(running, watch, bar)
                running = _Running(number, batch.pairs * jax.process_count(), metrics)
                due = number % self.schedule.evaluate == 0 or number == total
                stopped_by = agreed_stop(stop.received)
                if due or stopped_by:
                    # Read before it is saved: a step that went wrong must not be.
                    self._record(running, watch, bar)
                    running = None
                    best = self._evaluate(number, state, best) if due else best
                    self.checkpoints.save(state, best)
                if stopped_by:
                    break
            self.checkpoints.wait()
        if stopped_by and number < total:
            if distributed.is_first():
                name = signal.Signals(stopped_by).name
                print(f"{name}: saved step {number}; the same command resumes", file=sys.stderr)
            raise SystemExit(128 + stopped_by)
        return state, best

    def _is_new_shape(self, batch: Batch) -> bool:
        """Remembers the batch's shape; whether it is the first of it, which the step compiles."""
        shape = tuple(array.shape for array in jax.tree.leaves(batch))
        is_new = shape not in self._shapes
        self._shapes.add(shape)
        return is_new

    def _record(self, step: _Running, watch: WeightWatch, bar: tqdm) -> None:
        """Logs a step; raises FloatingPointError where it went wrong."""
        values = {name: float(value) for name, value in step.metrics.items()}
        if not (math.isfinite(values["loss"]) and math.isfinite(values["grad_norm"])):
            saved = self.checkpoints.latest()
            raise FloatingPointError(
                f"step {step.number}: loss {values['loss']}, gradient norm {values['grad_norm']}; "
                f"last checkpoint: {'none' if saved is None else f'step {saved}'}; "
                f"pairs of the batch: {', '.join(self.batches.urls(step.number - 1))}"
            )
        now = time.perf_counter()
        rate, self._clock = step.pairs / (now - self._clock), now
        counts = {"pairs_per_second": round(rate, 1), "compilations": len(self._shapes)}
        clipped = int(values["grad_norm"] > self.clip_norm)
        self.run.log({"step": step.number, **values, "clipped": clipped, **counts})
        if (warning := watch(values)) and distributed.is_first():
            bar.write(warning, file=sys.stderr)
        bar.set_postfix(loss=f"{values['loss']:.3f}", pairs_s=f"{rate:.0f}", refresh=False)
        bar.update()

    def _evaluate(self, number: int, state: TrainState, best: Best | None) -> Best | None:
        """The better of this evaluation and the best so far."""
        values = self.validate(state.params)
        self.run.log({"step": number, **values})
        self._clock = time.perf_counter()
        mrr = values.get("valid_mrr")
        better = mrr is not None and (best is None or mrr > best.mrr)
        return Best(number, mrr) if better else best

    def _progress_bar(self, done: int) -> tqdm:
        # A terminal is redrawn often; a log file gets a line now and then.
        seconds = 0.2 if sys.stderr.isatty() else 20
        return tqdm(
            total=self.schedule.total,
            initial=done,
            desc="training",
            unit="step",
            mininterval=seconds,
            disable=not distributed.is_first(),
        )
