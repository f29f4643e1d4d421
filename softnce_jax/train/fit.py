"""Fine-tuning from top to bottom: mesh, data, encoder, batches, state, loop, result."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from softnce_jax import registry
from softnce_jax.data.corpus import shared_texts
from softnce_jax.encoders.embed import Embedder
from softnce_jax.encoders.processor import Processor
from softnce_jax.estimators.precomputed import Precomputed
from softnce_jax.mesh import check_batch_size, devices, make_mesh, without_x64
from softnce_jax.retrieval.metrics import query_metrics
from softnce_jax.retrieval.tasks import RetrievalTask
from softnce_jax.train.card import model_card
from softnce_jax.train.config import Config
from softnce_jax.train.features import make_features, precomputed_estimators
from softnce_jax.train.loop import Validate, train
from softnce_jax.train.objective import check_loss
from softnce_jax.train.report import Results, System, describe, evaluate, show
from softnce_jax.train.run_folder import RunFolder
from softnce_jax.train.setup import (
    TrainingData,
    build_encoder,
    cache_folder,
    functions_of_run,
    make_batches,
    make_processor,
    origin,
    read_data,
    scale_of,
    schedule_of,
    settle,
)
from softnce_jax.train.tensorboard import check_installed
from softnce_jax.train.versions import versions
from softnce_jax.typed import check_fields, check_type

log = logging.getLogger(__name__)


class Inputs(NamedTuple):
    """What a run is made of.

    Attributes:
      config: settled.
      data: that it reads.
      notes: lines to tell the user.
      precomputed: the estimators that training does not change, by name.
      identity: what config.json keeps; two runs with the same one have the same numbers.
    """

    config: Config
    data: TrainingData
    notes: list[str]
    precomputed: Mapping[str, Precomputed]
    identity: dict[str, Any]


@without_x64()
def fit(config: Config) -> dict[str, Any]:
    """Trains, or resumes, the run that a configuration names; returns its results.

    In a thread other than the main one signals are the caller's.

    Raises:
      InputError: bad input, before any work.
      FloatingPointError: a loss or gradient that is not finite; nothing is saved after it.
      SystemExit: a signal came; the state is saved and the same call resumes.
    """
    mesh = make_mesh(devices())

    config, data, notes, precomputed, identity = read_inputs(config)
    check_batch_size(config.batch_size, mesh, config.micro_batch)
    run = RunFolder(config.out, identity)
    run.agree()
    if (results := run.whole_results()) is not None:
        show(check_type(results, Results, run.folder / "results.json"), run.folder)
        return results

    encoder, initial = build_encoder(config, data.train)
    check_loss(config, encoder.dimensions)
    schedule = schedule_of(config, len(data.train))
    for line in [*data.notes, *notes, *describe(config, data, encoder, initial, schedule)]:
        log.info(line)
    processor = make_processor(encoder, functions_of_run(data), config.data).caching()
    features_folder = cache_folder(config.data, "features")
    features = make_features(config, data.train, processor, precomputed, features_folder)
    batches = make_batches(config, data.train, processor, features, data.negatives, mesh)
    run.start()

    embedder = Embedder(encoder, mesh)
    validate = validation(data, embedder, processor)
    params, best, learned = train(config, run, embedder, initial, batches, schedule, validate)

    run.export(encoder, params)
    first = scale_of(config, encoder)
    systems = {"untrained": System(initial, first), "trained": System(params, learned or first)}
    scored, queries = evaluate(config, data, embedder, processor, systems, precomputed)
    results = {
        "config": identity,
        "protocol": scored.protocol,
        "duplicates": shared_texts(data.train)._asdict(),
        "negatives": data.negatives and data.negatives.about | {"filled": data.negatives.filled},
        "best": best and best._asdict(),
        "metrics": scored.metrics,
        "analysis": scored.analysis,
        "devices": [device.device_kind for device in jax.devices()],
        "versions": versions(),
    }
    results |= {} if learned is None else {"scale": learned}
    run.write_card(model_card(config, data, encoder, results))
    run.finish(results, queries)
    show(results, run.folder)
    return results


def read_inputs(config: Config, data: TrainingData | None = None) -> Inputs:
    """What a run is made of, before any work.

    Args:
      config: as given.
      data: as `read_data` read them for this configuration; by default they are read.

    Raises:
      InputError: a field out of its range, data or a model that cannot be used, choices that
        contradict one another or the data.
    """
    check_fields(config)
    check_installed(config.log)
    data = read_data(config) if data is None else data
    config, notes = settle(config, data)
    precomputed = precomputed_estimators(config)
    return Inputs(config, data, notes, precomputed, identify(config, data, precomputed))


def identify(
    config: Config, data: TrainingData, precomputed: Mapping[str, Precomputed]
) -> dict[str, Any]:
    """What makes two runs the same: the configuration, hashes of data and models, the generator."""
    identity = dataclasses.asdict(config) | {"data_hash": [c.hash() for c in data.corpora]}
    identity |= origin(config)
    identity |= {"estimator_hash": {name: each.hash for name, each in precomputed.items()}}
    if config.loss not in registry.LOSSES:
        source = registry.source_of(config.loss, "--loss")
        identity["loss_hash"] = hashlib.sha256(source.encode()).hexdigest()
    return identity | {"negatives_hash": data.negatives and data.negatives.hash}


def validation(data: TrainingData, embedder: Embedder, processor: Processor) -> Validate:
    """Validation MRR of parameters, the mean over languages."""
    tasks = [RetrievalTask(c.valid, c.codebase, processor) for c in data.corpora]

    def validate(params: Any) -> dict[str, float]:
        mrrs = [query_metrics(task.ranks(embedder, params))["mrr"].mean() for task in tasks]
        return {"valid_mrr": float(np.mean(mrrs))}

    return validate
