"""Fine-tuning, in the order of the data: set up, restore, loop, result."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from softnce_jax.data.corpus import Pair
from softnce_jax.encoders.embed import Embedder
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.mesh import replicated
from softnce_jax.packing import sizes
from softnce_jax.retrieval.metrics import per_query
from softnce_jax.retrieval.tasks import RetrievalTask
from softnce_jax.train import distributed
from softnce_jax.train.batches import Layout, batch_indices, batches
from softnce_jax.train.checkpoint import Best, Checkpoints, named_checksums
from softnce_jax.train.config import Config
from softnce_jax.train.diagnose import diagnosis
from softnce_jax.train.features import frozen_estimators, make_features
from softnce_jax.train.loop import Loop, Schedule, Validate, schedule_of
from softnce_jax.train.objective import objective
from softnce_jax.train.report import describe, evaluate, show
from softnce_jax.train.run_folder import RunFolder
from softnce_jax.train.setup import Data, build_encoder, make_layout, prepare_data
from softnce_jax.train.state import TrainState, create, learning_rate, optimizer
from softnce_jax.train.step import Step, make_step

# Scores of unit vectors lie in [-1, 1]: without a scale their softmax is nearly flat.
UNIT_VECTOR_SCALE = 20.0
SIZED_AT_ONCE = 4096  # functions tokenized together


def fit(config: Config, say: Callable[[str], None] = print) -> dict:
    """Trains, or resumes, the run that a configuration names; returns its results.

    Raises:
      InputError: bad input, before any work.
      FloatingPointError: a loss or gradient that is not finite; nothing is saved after it.
      SystemExit: a signal came; the state is saved and the same call resumes.
    """
    say = distributed.first_only(say)
    data = prepare_data(config)
    data = data._replace(frozen=frozen_estimators(data.config))
    hashes = {name: estimator.hash for name, estimator in data.frozen.items()}
    identity = identify(data) | {"estimator_hash": hashes}
    identity |= {"negatives_hash": data.negatives and data.negatives.hash}
    run = RunFolder(data.config.out, identity)
    run.agree()
    if (results := run.results()) is not None:
        show(results, run.folder, say)
        return results
    encoder, initial = build_encoder(data)
    steps = schedule_of(data.config, len(data.train))
    for line in [*data.notes, *describe(data, encoder, initial, steps)]:
        say(line)
    parts = (rows for corpus in data.corpora for rows in (corpus.train, corpus.codebase))
    layout = make_layout(encoder, parts, config.data, say)
    layout = layout._replace(packed=data.config.layout == "packed").keeping()
    data = data._replace(features=make_features(data, layout, say))
    run.start()

    embedder = Embedder(encoder, data.mesh)
    validate = validation(data, embedder, layout)
    params, best = train(data, run, embedder, layout, initial, steps, validate, say)
    run.export(encoder, params)
    systems = {"untrained": initial, "trained": params}
    scale = scale_of(data.config, encoder)
    results, queries = evaluate(
        data, embedder, layout, systems, best, identity=identity, scale=scale
    )
    run.finish(results, queries)
    show(results, run.folder, say)
    return results


def identify(data: Data) -> dict:
    """What makes two runs the same: the configuration and the data's hashes."""
    return dataclasses.asdict(data.config) | {"data_hash": [c.hash() for c in data.corpora]}


def validation(data: Data, embedder: Embedder, layout: Layout) -> Validate:
    """Validation MRR of parameters, the mean over languages."""
    tasks = [RetrievalTask(c.valid, c.codebase, layout) for c in data.corpora]

    def validate(params: Any) -> dict[str, float]:
        mrrs = [per_query(task.ranks(embedder, params))["mrr"].mean() for task in tasks]
        return {"valid_mrr": float(np.mean(mrrs))}

    return validate


def train(
    data: Data,
    run: RunFolder,
    embedder: Embedder,
    layout: Layout,
    initial: Any,
    steps: Schedule,
    validate: Validate,
    say: Callable[[str], None],
) -> tuple[Any, Best | None]:
    """The best parameters, on the host, and their evaluation; resumes where a checkpoint is.

    Where `validate` knows no best, they are the last parameters, and the evaluation is None.
    """
    distributed.agree(lambda: {"the weights to start from": named_checksums(initial)})
    state, step = start(data, embedder, initial, steps)
    checkpoints = Checkpoints(run.checkpoints, run.config, keep=data.config.keep)
    try:
        best = None
        if (restored := checkpoints.restore(state, say)) is not None:
            state, best = restored
            say(f"resuming after step {int(state.step)} of {steps.total}")
        run.cut_metrics(int(state.step))
        loop = make_loop(data, run, layout, step, steps, validate, checkpoints)
        if data.config.warm_up:
            epoch = len(data.train) // data.config.batch_size
            say(f"compiled for {loop.warm_up(state, epoch)} shapes of batches")
        state, best = loop(state, best)
        if best is not None and best.step != int(state.step):
            state = checkpoints.restore_step(best.step, state).state
        return jax.device_get(state.params), best
    finally:
        checkpoints.close()


def start(data: Data, embedder: Embedder, initial: Any, steps: Schedule) -> tuple[TrainState, Step]:
    """The state before the first step, on every device, and the step."""
    config, encoder = data.config, embedder.encoder
    rate = learning_rate(config.learning_rate, steps.total, steps.warmup)
    tx = optimizer(rate, clip_norm=config.clip_norm, weight_decay=config.weight_decay)
    loss = objective(config, scale_of(config, encoder))
    step = make_step(
        encoder,
        loss,
        tx,
        rate,
        config.seed,
        slices=slices_of(config),
        diagnose=diagnosis(config),
    )
    place = jax.jit(lambda params: create(params, tx), out_shardings=replicated(data.mesh))
    return place(initial), step


def scale_of(config: Config, encoder: Encoder) -> float:
    """What multiplies the scores in the loss."""
    return config.scale or (UNIT_VECTOR_SCALE if encoder.normalize else 1.0)


def slices_of(config: Config) -> int:
    """How many parts of a batch are encoded one after the other."""
    return config.batch_size // (config.micro_batch or config.batch_size)


def code_sizes(pairs: Sequence[Pair], layout: Layout) -> np.ndarray | None:
    """What every function takes of a packed row, (R, 3), where hosts must choose rows alike.

    Each host measures a share of them. None for one host, which sees all of a batch.
    """
    count = jax.process_count()
    if count == 1 or not layout.packed:
        return None
    share = range(jax.process_index(), len(pairs), count)
    size_S3 = np.zeros((-(-len(pairs) // count), 3), np.int32)
    for start in range(0, len(share), SIZED_AT_ONCE):
        some = [pairs[i] for i in share[start : start + SIZED_AT_ONCE]]
        size_S3[start : start + len(some)] = sizes(layout.codes(some), layout.room)
    return distributed.gathered(size_S3).swapaxes(0, 1).reshape(-1, 3)[: len(pairs)]


def make_loop(
    data: Data,
    run: RunFolder,
    layout: Layout,
    step: Step,
    steps: Schedule,
    validate: Validate,
    checkpoints: Checkpoints,
) -> Loop:
    """Binds the loop to its batches."""
    indices = batch_indices(len(data.train), data.config.batch_size, data.config.seed)
    shard = (jax.process_index(), jax.process_count())
    return Loop(
        step,
        batches(
            indices,
            data.train,
            layout,
            data.features,
            keys=data.negatives is not None or data.config.duplicates != "keep",
            negatives=data.negatives and data.negatives.index_RK,
            shard=shard,
            groups=data.mesh.size * slices_of(data.config),
            code_sizes=code_sizes(data.train, layout),
        ),
        urls=lambda n: [data.train[i].url for i in np.asarray(indices[n])],
        validate=validate,
        steps=steps,
        run=run,
        checkpoints=checkpoints,
        mesh=data.mesh,
    )
