"""Unsupervised SimCSE: fine-tuning on pairs of a query and itself, seen through another dropout.

The data, batches, step, loop, checkpoints and run folder are those of `train/fit.py`. The model
is that of the last step, as in the paper's code: nothing validates a sentence encoder but what it
is for, and alignment alone would choose a collapsed one. Alignment and uniformity are logged at
every evaluation, so that a run that goes wrong is seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from softnce_jax.data.queries import different_queries
from softnce_jax.data.sources import load_corpora
from softnce_jax.encoders.embed import Embedder
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.processor import layout_of
from softnce_jax.errors import InputError
from softnce_jax.mesh import check_batch_size, make_mesh
from softnce_jax.retrieval.sentences import SentenceTask
from softnce_jax.train import distributed
from softnce_jax.train.fit import train
from softnce_jax.train.loop import Schedule, schedule_of
from softnce_jax.train.report import encoder_line, training_lines, versions
from softnce_jax.train.run_folder import RunFolder
from softnce_jax.train.setup import Data, build_encoder, check_splits
from softnce_jax.train.simcse_config import SimcseConfig, settle


def train_simcse(config: SimcseConfig, say: Callable[[str], None] = print) -> dict:
    """Trains, or resumes, the run that a configuration names; returns its results.

    Raises:
      InputError: bad input, before any work.
      FloatingPointError: a loss or gradient that is not finite; nothing is saved after it.
      SystemExit: a signal came; the state is saved and the same call resumes.
    """
    say = distributed.first_only(say)
    config, data = prepare_queries(config)
    identity = dataclasses.asdict(config) | {"data_hash": [c.hash() for c in data.corpora]}
    run = RunFolder(config.out, identity)
    run.agree()
    if (results := run.results()) is not None:
        show(results, run.folder, say)
        return results
    encoder, initial = sentence_encoder(data)
    steps = schedule_of(data.config, len(data.train))
    for line in [*data.notes, *describe(config, data, encoder, initial, steps)]:
        say(line)
    run.start()

    embedder = Embedder(encoder, data.mesh)
    task = SentenceTask([pair for c in data.corpora for pair in c.valid], embedder)

    def validate(params: Any) -> dict[str, float]:
        return {f"valid_{name}": value for name, value in task.measure(params).items()}

    layout = layout_of(encoder).keeping()
    params, _ = train(data, run, embedder, layout, initial, steps, validate, say)
    run.export(encoder, params)
    results = {
        "config": identity,
        "protocol": protocol(data, task),
        "metrics": {"before": task.measure(initial), "after": task.measure(params)},
        "devices": [device.device_kind for device in jax.devices()],
        "versions": versions(),
    }
    run.finish(results)
    show(results, run.folder, say)
    return results


def prepare_queries(config: SimcseConfig) -> tuple[SimcseConfig, Data]:
    """The settled configuration, and the different training queries, each with itself as its code.

    A query that is there twice would be its own negative. Raises InputError before any work.
    """
    corpora, notes = load_corpora(config.data, config.lang, strict=config.strict)
    check_splits(corpora, ("train", "valid"))
    queries = different_queries([pair for corpus in corpora for pair in corpus.train])
    config, finetuning, more = settle(config, queries=len(queries))
    mesh = make_mesh()
    check_batch_size(config.batch_size, mesh)
    pairs = [dataclasses.replace(pair, code=pair.query) for pair in queries]
    return config, Data(finetuning, corpora, pairs, mesh, notes + more)


def sentence_encoder(data: Data) -> tuple[Encoder, Any]:
    """The model to start from, its vectors of unit length, and its parameters on the host.

    Raises InputError where it has no dropout, without which SimCSE has no positive pairs.
    """
    encoder, params = build_encoder(data)
    if not max(dropouts(encoder)) > 0:
        raise InputError(
            f"{data.config.encoder}: its config.json sets every dropout to 0, so the two passes of "
            "a query are identical and teach nothing; set hidden_dropout_prob (DistilBERT: "
            "dropout) to 0.1 there"
        )
    return dataclasses.replace(encoder, normalize=True), params


def dropouts(encoder: Encoder) -> tuple[float, float]:
    """The shares of states and of attention weights that training drops."""
    return encoder.config.hidden_dropout_prob, encoder.config.attention_probs_dropout_prob


def describe(
    config: SimcseConfig, data: Data, encoder: Encoder, params: Any, steps: Schedule
) -> list[str]:
    """The plan of a run, a line for each thing that it stands on."""
    given = sum(len(corpus.train) for corpus in data.corpora)
    hidden, attention = dropouts(encoder)
    return [
        *(
            f"data      {c.name}, {c.language}: {len(c.train)} train, {len(c.valid)} valid queries"
            for c in data.corpora
        ),
        f"queries   {len(data.train)} different ones to train on: {given - len(data.train)} "
        f"duplicates of {given} removed",
        encoder_line(data.config, encoder, params),
        f"loss      infonce of two dropout passes ({hidden:g}, attention {attention:g}), "
        f"cosine / {config.temperature:g}",
        *training_lines(data.config, steps),
    ]


def protocol(data: Data, task: SentenceTask) -> dict:
    """What the numbers of a run stand on."""
    given = sum(len(corpus.train) for corpus in data.corpora)
    return {
        "train_queries": len(data.train),
        "duplicates_removed": given - len(data.train),
        "valid_queries": len(task.queries),
        "positive_pairs": task.positive_pairs,
        "positives": task.positives,
        "alignment": "mean |x - y|^2 over the positive pairs",
        "uniformity": "log of the mean of exp(-2 |x - y|^2) over all pairs of validation queries",
        "selection": "the last step",
    }


def show(results: dict, folder: Path, say: Callable[[str], None]) -> None:
    """Prints alignment and uniformity before and after, and where the run is."""
    about = results["protocol"]
    say(
        f"\n{about['valid_queries']} validation queries; alignment over "
        f"{about['positive_pairs']} pairs: {about['positives']}"
    )
    say("        alignment  uniformity  (both are better when lower)")
    for name, values in results["metrics"].items():
        say(f"{name:<6}  {values['alignment']:<9.4f}  {values['uniformity']:.4f}")
    say(f"\nrun folder: {folder}")
