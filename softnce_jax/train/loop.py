"""The training loop: optimiser, state, restore; then step, log, evaluate, save to the last step."""

from __future__ import annotations

import logging
import math
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import grain
import jax
from tqdm import tqdm

from softnce_jax.encoders.embed import Embedder
from softnce_jax.errors import InputError
from softnce_jax.mesh import replicated, shard_rows
from softnce_jax.train import distributed
from softnce_jax.train.batches import Batch, load_ahead
from softnce_jax.train.checkpoint import Best, Checkpoints, named_checksums
from softnce_jax.train.config import Config
from softnce_jax.train.diagnose import WeightWatch, diagnosis
from softnce_jax.train.objective import Objective
from softnce_jax.train.run_folder import RunFolder
from softnce_jax.train.signals import StopSignal
from softnce_jax.train.state import TrainState, create, learning_rate, optimizer
from softnce_jax.train.step import Step, make_step, slices_of

log = logging.getLogger(__name__)

Validate = Callable[[Any], dict[str, float]]


class Schedule(NamedTuple):
    """In steps: the end of a run, the distance of its evaluations, and its warm-up."""

    total: int
    evaluate: int
    warmup: int


class TrainingBatches(NamedTuple):
    """The batches of a run.

    Attributes:
      dataset: element n is this host's rows of batch n.
      urls: of the pairs of batch n, to name those of a step that went wrong.
    """

    dataset: grain.MapDataset
    urls: Callable[[int], list[str]]


def schedule_of(config: Config, pairs: int) -> Schedule:
    """The steps of a configuration on a number of training pairs.

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


def train(
    config: Config,
    run: RunFolder,
    embedder: Embedder,
    initial: Any,
    batches: TrainingBatches,
    schedule: Schedule,
    scale: float,
    validate: Validate,
) -> tuple[Any, Best | None]:
    """Trains, or resumes, from initial parameters on.

    Args:
      config: settled.
      run: where steps are logged and checkpoints lie.
      embedder: the encoder and its mesh.
      initial: parameters before training, on the host.
      batches: what each step reads.
      schedule: when to evaluate and when to end.
      scale: multiplies the scores in the loss.
      validate: measures of parameters on the validation split, by name; the largest "valid_mrr" is
        the best, and without one there is no best.

    Returns:
      The best parameters, on the host, and their evaluation; the last ones and None where
      `validate` knows no best.

    Raises:
      FloatingPointError: a loss or gradient is not finite; nothing is saved after it.
      SystemExit: a signal came; the state is saved.
    """
    distributed.agree(lambda: {"the weights to start from": named_checksums(initial)})
    step, state = start(config, embedder, initial, schedule, scale)
    checkpoints = Checkpoints(run.checkpoints, run.config, keep=config.keep)
    try:
        best = None
        if (restored := checkpoints.restore(state)) is not None:
            state, best = restored
            log.info(f"resuming after step {int(state.step)} of {schedule.total}")
        run.cut_metrics(int(state.step))
        loop = Loop(step, batches, embedder, schedule, run, checkpoints, validate)
        if config.warm_up:
            batches_an_epoch = schedule.total // config.epochs
            log.info(f"compiled for {loop.warm_up(state, batches_an_epoch)} shapes of batches")
        state, best = loop(state, best)
        if best is not None and best.step != int(state.step):
            state = checkpoints.restore_step(best.step, state).state
        return jax.device_get(state.params), best
    finally:
        checkpoints.close()


def start(
    config: Config, embedder: Embedder, initial: Any, schedule: Schedule, scale: float
) -> tuple[Step, TrainState]:
    """The jitted step, and the state before the first one, on every device."""
    rate = learning_rate(config.learning_rate, schedule.total, schedule.warmup)
    tx = optimizer(rate, clip_norm=config.clip_norm, weight_decay=config.weight_decay)
    objective = Objective(config, scale)
    step = make_step(
        embedder.encoder,
        objective,
        tx,
        rate,
        config.seed,
        slices=slices_of(config),
        diagnose=diagnosis(config, objective),
    )
    on_devices = replicated(embedder.mesh)
    return step, jax.jit(lambda params: create(params, tx), out_shardings=on_devices)(initial)


class Loop:
    """Steps from a state to the end of the schedule."""

    def __init__(
        self,
        step: Step,
        batches: TrainingBatches,
        embedder: Embedder,
        schedule: Schedule,
        run: RunFolder,
        checkpoints: Checkpoints,
        validate: Validate,
    ):
        self._step, self._batches, self._mesh = step, batches, embedder.mesh
        self._schedule, self._validate = schedule, validate
        self._run, self._checkpoints = run, checkpoints
        self._shapes: set[tuple] = set()

    def warm_up(self, state: TrainState, steps: int) -> int:
        """Compiles the step for the shapes of the next batches; returns how many shapes.

        Runs the step on throwaway copies of the state, for only a run compiles for good.
        """
        done = int(state.step)
        ahead = load_ahead(self._batches.dataset, done)
        coming = range(min(steps, self._schedule.total - done))
        for _ in tqdm(coming, desc="warming up", unit="batch", disable=not distributed.is_first()):
            batch = next(ahead)
            if self._is_new(batch):
                copy = jax.tree.map(jax.numpy.copy, state)
                jax.block_until_ready(self._step(copy, shard_rows(batch, self._mesh)))
        return len(self._shapes)

    def _is_new(self, batch: Batch) -> bool:
        """Whether a shape is met for the first time, so that the step is compiled for it."""
        shape = tuple(array.shape for array in jax.tree.leaves(batch))
        new = shape not in self._shapes
        self._shapes.add(shape)
        return new

    def __call__(self, state: TrainState, best: Best | None) -> tuple[TrainState, Best | None]:
        """The state after the last step, and the best evaluation. Raises as `train`."""
        done, total = int(state.step), self._schedule.total
        if done == total:
            return state, best
        ahead = load_ahead(self._batches.dataset, done)
        running = None
        agreed = distributed.AgreedStop(self._mesh)
        self._watch = WeightWatch(total - done)
        with StopSignal() as stop, self._progress_bar(done) as bar:
            self._clock = time.perf_counter()
            for number in range(done + 1, total + 1):
                batch = next(ahead)
                self._is_new(batch)
                state, metrics = self._step(state, shard_rows(batch, self._mesh))
                # The step before is read now that this one is under way: the device never waits.
                if running is not None:
                    self._record(*running, bar)
                running = number, batch.pairs * jax.process_count(), metrics
                due = number % self._schedule.evaluate == 0 or number == total
                stopped = agreed(stop.received)
                if due or stopped:
                    # Read before it is saved: a step that went wrong must not be.
                    self._record(*running, bar)
                    running = None
                    best = self._evaluate(number, state, best) if due else best
                    self._checkpoints.save(state, best)
                if stopped:
                    break
            self._checkpoints.wait()
        if stopped and number < total:
            if distributed.is_first():
                name = signal.Signals(stopped).name
                print(f"{name}: saved step {number}; the same command resumes", file=sys.stderr)
            raise SystemExit(128 + stopped)
        return state, best

    def _record(self, number: int, pairs: int, metrics: dict, bar: tqdm) -> None:
        """Logs a step; raises FloatingPointError where it went wrong."""
        values = {name: float(value) for name, value in metrics.items()}
        if not (math.isfinite(values["loss"]) and math.isfinite(values["grad_norm"])):
            saved = self._checkpoints.latest()
            raise FloatingPointError(
                f"step {number}: loss {values['loss']}, gradient norm {values['grad_norm']}; "
                f"last checkpoint: {'none' if saved is None else f'step {saved}'}; "
                f"pairs of the batch: {', '.join(self._batches.urls(number - 1))}"
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
        seconds = 0.2 if sys.stderr.isatty() else 20
        return tqdm(
            total=self._schedule.total,
            initial=done,
            desc="training",
            unit="step",
            mininterval=seconds,
            disable=not distributed.is_first(),
        )
