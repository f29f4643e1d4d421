"""From a configuration to what a run stands on: data, encoder, devices."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from softnce_jax.data.batches import Features, Layout
from softnce_jax.data.pairs import Candidate, Corpus, Pair
from softnce_jax.data.sources import data_folder, load_corpora
from softnce_jax.dataflow.store import GraphCodes, Settings
from softnce_jax.encoders.checkpoints import load
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.tiny import tiny
from softnce_jax.errors import InputError
from softnce_jax.estimators.bm25 import average_length, bm25_features
from softnce_jax.train.config import Config, resolve
from softnce_jax.train.devices import check_batch_size, make_mesh

Say = Callable[[str], None]


class Data(NamedTuple):
    """The corpora of a run and its configuration, every default filled in."""

    config: Config
    corpora: list[Corpus]
    train: list[Pair]
    mesh: Mesh
    notes: list[str]


def prepare_data(config: Config) -> Data:
    """Reads the data and settles the configuration. Raises InputError before any work."""
    corpora, notes = load_corpora(config.data, config.lang, strict=config.strict)
    for corpus in corpora:
        for split in ("train", "valid", "test"):
            if not getattr(corpus, split):
                skipped = "; ".join(corpus.problems.lines())
                raise InputError(
                    f"{corpus.name}: no {corpus.language} pairs in the {split} split"
                    + (f" ({skipped})" if skipped else "")
                )
    train = [pair for corpus in corpora for pair in corpus.train]
    on_sample = all(corpus.name == "sample" for corpus in corpora)
    config, more = resolve(config, on_sample=on_sample, train_pairs=len(train))
    mesh = make_mesh()
    check_batch_size(config.batch_size, mesh)
    return Data(config, corpora, train, mesh, notes + more)


def build_encoder(data: Data) -> tuple[Encoder, Any]:
    """The encoder the configuration names and its parameters before training, on the host."""
    config = data.config
    if config.encoder == "tiny":
        texts = [text for pair in data.train for text in (pair.query, pair.code)]
        encoder, params = tiny(texts, key=jax.random.key(config.seed), dtype=config.precision)
    else:
        encoder, params = load(config.encoder, dtype=config.precision, download=config.download)
    lengths = {"query_length": config.query_length, "code_length": config.code_length}
    for name, length in lengths.items():
        places = length + (config.flow_length if name == "code_length" else 0)
        if places > encoder.max_length:
            flag = f"--{name.replace('_', '-')} {length}"
            flag += f" and --flow-length {config.flow_length}" if places > length else ""
            raise InputError(f"{flag}, but {config.encoder} has {encoder.max_length} positions")
    lengths |= {"dataflow": config.dataflow, "flow_length": config.flow_length}
    return dataclasses.replace(encoder, **lengths), jax.device_get(params)


def make_layout(
    encoder: Encoder, parts: Iterable[Sequence[Pair | Candidate]], data: str, say: Say
) -> Layout:
    """The encoder's tokenizer and lengths, and where it reads data flow, that of the functions.

    Args:
      encoder: what the rows are for.
      parts: the functions that will be needed, such as a split and a codebase; cached by the part.
      data: the flag, beside which the cache lies.
      say: takes a line for each problem.
    """
    graphs = None
    if encoder.dataflow != "none":
        settings = Settings(encoder.dataflow, encoder.code_length, encoder.flow_length)
        folder = cache_folder(data)
        graphs = GraphCodes(encoder.tokenizer, settings, folder=folder, say=say)
        for rows in parts:
            graphs.prepare(rows)
    return Layout(encoder.tokenizer, encoder.query_length, encoder.code_length, graphs)


def cache_folder(data: str) -> Path:
    """Where data flow is kept: in the data's folder if it can be written, else in the cache."""
    own = Path(data)
    beside = data not in ("auto", "sample") and os.access(own, os.W_OK)
    return (own if beside else data_folder()) / "dataflow"


def make_features(data: Data, layout: Layout) -> Features | None:
    """The estimator's features of a batch, None where the loss needs none."""
    if data.config.estimator == "none":
        return None
    average = average_length(layout.queries([pair.query for pair in data.train]))

    def features(_: np.ndarray, query_ids: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
        return bm25_features(query_ids, average)

    return features
