"""Fine-tuning, in the order of the data: set up, restore, loop, result."""

from __future__ import annotations

import dataclasses
import math
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import grain
import jax
import numpy as np
from tqdm import tqdm

from softnce_jax.data.batches import batch_indices, batches, load_ahead
from softnce_jax.encoders.export import export_model
from softnce_jax.retrieval.embed import Embedder
from softnce_jax.retrieval.metrics import per_query
from softnce_jax.retrieval.task import RetrievalTask
from softnce_jax.train.checkpoint import Best, Checkpoints
from softnce_jax.train.config import Config
from softnce_jax.train.devices import replicated, shard_rows
from softnce_jax.train.objective import objective
from softnce_jax.train.results import describe, evaluate, show
from softnce_jax.train.run import RunFolder
from softnce_jax.train.setup import Data, build_encoder, make_features, make_layout, prepare_data
from softnce_jax.train.state import TrainState, create, learning_rate, optimizer
from softnce_jax.train.step import Step, make_step
from softnce_jax.train.stop import StopSignal

# Cosine scores lie in [-1, 1]: without a scale their softmax is nearly flat.
UNIT_VECTOR_SCALE = 20.0


class Schedule(NamedTuple):
    """Where a run ends and where it stops to evaluate, in steps."""

    total: int
    evaluate: int
    warmup: int


def schedule_of(config: Config, pairs: int) -> Schedule:
    """The steps of a configuration on so many training pairs."""
    epoch = pairs // config.batch_size
    return Schedule(
        config.epochs * epoch,
        max(1, round(config.evaluate_every * epoch)),
        round(config.warmup_epochs * epoch),
    )


def fit(config: Config, say: Callable[[str], None] = print) -> dict:
    """Trains, or resumes, the run that a configuration names; returns its results.

    Raises:
      InputError: bad input, before any work.
      FloatingPointError: a loss or gradient that is not finite; nothing bad is saved.
      SystemExit: stopped by a signal, after saving.
    """
    data = prepare_data(config)
    config = data.config
    identity = dataclasses.asdict(config) | {"data_hash": [c.hash() for c in data.corpora]}
    run = RunFolder(config.out, identity)
    if (results := run.results()) is not None:
        show(results, run.folder, say)
        return results
    encoder, initial = build_encoder(data)
    steps = schedule_of(config, len(data.train))
    layout = make_layout(config, encoder)
    for line in [*data.notes, *describe(data, encoder, initial, steps)]:
        say(line)
    run.start()

    scale = config.scale or (UNIT_VECTOR_SCALE if encoder.normalize else 1.0)
    rate = learning_rate(config.learning_rate, steps.total, steps.warmup)
    tx = optimizer(rate, clip_norm=config.clip_norm, weight_decay=config.weight_decay)
    step = make_step(encoder, objective(config, scale), tx, rate, config.seed)
    everywhere = replicated(data.mesh)
    state = jax.jit(lambda params: create(params, tx), out_shardings=everywhere)(initial)
    embedder = Embedder(encoder, data.mesh)

    checkpoints = Checkpoints(run.checkpoints, identity, keep=config.keep)
    try:
        restored = checkpoints.restore(state, say)
        best = None
        if restored is not None:
            state, best = restored.state, restored.best
            say(f"resuming after step {int(state.step)} of {steps.total}")
        run.cut_metrics(int(state.step))
        loop = Loop(data, run, checkpoints, embedder, step, steps)
        indices = batch_indices(len(data.train), config.batch_size, config.seed)
        shard = (jax.process_index(), jax.process_count())
        loader = batches(
            indices, data.train, layout, make_features(data, layout), shard=shard
        )
        state, best = loop(state, best, indices, loader, layout)
        params = state.params
        if best is not None and best.step != int(state.step):
            params = checkpoints.restore_step(best.step, state).state.params
    finally:
        checkpoints.close()

    export_model(run.model, encoder, params)
    results = evaluate(data, layout, embedder, initial, params, best, identity)
    run.finish(results)
    show(results, run.folder, say)
    return results


class Loop:
    """Steps, logs, evaluates and saves until the last step or a signal."""

    def __init__(
        self,
        data: Data,
        run: RunFolder,
        checkpoints: Checkpoints,
        embedder: Embedder,
        step: Step,
        steps: Schedule,
    ):
        self.data, self.run, self.checkpoints = data, run, checkpoints
        self.embedder, self.step, self.steps = embedder, step, steps

    def __call__(
        self,
        state: TrainState,
        best: Best | None,
        indices: grain.MapDataset,
        loader: grain.MapDataset,
        layout: Any,
    ) -> tuple[TrainState, Best | None]:
        """Runs from the state's step on."""
        tasks = [RetrievalTask(c.valid, c.codebase, layout) for c in self.data.corpora]
        done = int(state.step)
        bar = self._progress_bar(done)
        running: tuple[int, dict, float] | None = None
        with StopSignal() as stop, bar:
            ahead = load_ahead(loader, done) if done < self.steps.total else ()
            for number in range(done + 1, self.steps.total + 1):
                started = time.perf_counter()
                state, metrics = self.step(state, shard_rows(next(ahead), self.data.mesh))
                # The step before is read now that this one is under way.
                if running is not None:
                    self._record(*running, indices, bar)
                running = (number, metrics, started)
                due = number % self.steps.evaluate == 0 or number == self.steps.total
                if due or stop.received:
                    self._record(*running, indices, bar)
                    running = None
                    if due:
                        best = self._evaluate(number, state, best, tasks)
                    self.checkpoints.save(state, best)
                if stop.received:
                    break
            self.checkpoints.wait()
        if stop.received and int(state.step) < self.steps.total:
            name = f"signal {stop.received}"
            print(f"{name}: saved step {int(state.step)}; the same command resumes", file=sys.stderr)
            raise SystemExit(128 + stop.received)
        return state, best

    def _progress_bar(self, done: int) -> tqdm:
        calm = 0.5 if sys.stderr.isatty() else 20
        return tqdm(
            total=self.steps.total, initial=done, desc="training", unit="step", mininterval=calm
        )

    def _record(
        self, number: int, metrics: dict, started: float, indices: grain.MapDataset, bar: tqdm
    ) -> None:
        """Logs a step; raises FloatingPointError where it went wrong."""
        values = {name: float(value) for name, value in metrics.items()}
        seconds = time.perf_counter() - started
        if not (math.isfinite(values["loss"]) and math.isfinite(values["grad_norm"])):
            urls = [self.data.train[i].url for i in np.asarray(indices[number - 1])]
            raise FloatingPointError(
                f"step {number}: loss {values['loss']}, gradient norm {values['grad_norm']}; "
                f"checkpoint kept: {self.checkpoints.latest() or 'none'}; "
                f"its pairs: {', '.join(urls)}"
            )
        rate = self.data.config.batch_size / seconds
        self.run.log({"step": number, **values, "pairs_per_second": round(rate, 1)})
        bar.set_postfix(loss=f"{values['loss']:.3f}", pairs_s=f"{rate:.0f}", refresh=False)
        bar.update()

    def _evaluate(
        self, number: int, state: TrainState, best: Best | None, tasks: list[RetrievalTask]
    ) -> Best:
        """Validation MRR, the mean over languages; the better of it and the best so far."""
        ranks = [task.ranks(self.embedder, state.params) for task in tasks]
        mrr = float(np.mean([per_query(r)["mrr"].mean() for r in ranks]))
        self.run.log({"step": number, "valid_mrr": mrr})
        return Best(number, mrr) if best is None or mrr > best.mrr else best
