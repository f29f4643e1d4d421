"""From a configuration to what a run stands on: data, encoder, devices."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from softnce_jax.data.corpus import Candidate, Corpus, Joined, Pair
from softnce_jax.data.folds import over_families
from softnce_jax.data.hard_negatives import HardNegatives, read_negatives
from softnce_jax.data.sources import data_folder, load_corpora
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.processor import layout_of
from softnce_jax.errors import InputError
from softnce_jax.estimators.precomputed import Frozen
from softnce_jax.mesh import check_batch_size, make_mesh
from softnce_jax.pretrained.load import load
from softnce_jax.pretrained.tiny import tiny
from softnce_jax.train.batches import Features, Layout
from softnce_jax.train.config import Config, resolve

Say = Callable[[str], None]


class Data(NamedTuple):
    """The corpora of a run and its configuration, every default filled in.

    `negatives` are those mined for the training pairs, None for none. `frozen` are the estimators
    that training does not change, by name; `features` are drawn with the batch, once they are made;
    None where the loss needs none.
    """

    config: Config
    corpora: list[Corpus]
    train: Sequence[Pair]
    mesh: Mesh
    notes: list[str]
    negatives: HardNegatives | None = None
    frozen: Mapping[str, Frozen] = {}
    features: Features | None = None


def read_data(config: Config) -> Data:
    """The data of a configuration, which is taken as it is."""
    corpora, notes = read_corpora(config)
    check_splits(corpora, ("train", "valid", "test"))
    return Data(config, corpora, Joined([corpus.train for corpus in corpora]), make_mesh(), notes)


def prepare_data(config: Config) -> Data:
    """Reads the data and settles the configuration. Raises InputError before any work."""
    data = read_data(config)
    corpora, train = data.corpora, data.train
    negatives = mined(config, train)
    if negatives is not None:
        config = dataclasses.replace(config, negatives_per_query=negatives.index_RK.shape[1])
    on_sample = all(corpus.name == "sample" for corpus in corpora)
    config, more = resolve(config, on_sample=on_sample, train_pairs=len(train))
    check_batch_size(config.batch_size, data.mesh, config.micro_batch)
    return data._replace(config=config, notes=data.notes + more, negatives=negatives)


def mined(config: Config, train: Sequence[Pair]) -> HardNegatives | None:
    """The hard negatives that the configuration names, None where it names none."""
    if config.negatives is not None:
        options = {"per_query": config.negatives_per_query, "seed": config.seed}
        return read_negatives(config.negatives, train, **options)
    if config.negatives_per_query is not None:
        raise InputError(
            f"--negatives-per-query {config.negatives_per_query} of which file? Give --negatives "
            "FILE, as of experiments/mine_negatives.py"
        )
    return None


def check_splits(corpora: list[Corpus], splits: tuple[str, ...]) -> None:
    """Raises InputError where a split that is needed has no pairs."""
    for corpus in corpora:
        for split in splits:
            if not getattr(corpus, split):
                skipped = "; ".join(corpus.problems.lines())
                raise InputError(
                    f"{corpus.name}: no {corpus.language} pairs in the {split} split"
                    + (f" ({skipped})" if skipped else "")
                )


def read_corpora(config: Config) -> tuple[list[Corpus], list[str]]:
    """The corpora that the configuration names, split into folds if it says so."""
    corpora, notes = load_corpora(config.data, config.lang, strict=config.strict)
    if config.fold is not None:
        corpora = [over_families(corpus, config.fold) for corpus in corpora]
    return corpora, notes


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
    cosine = {"auto": encoder.normalize, "dot": False, "cosine": True}[config.similarity]
    module = encoder.module.clone(
        attention_dropout=config.attention_dropout,
        gradient_checkpointing=config.gradient_checkpointing,
    )
    encoder = dataclasses.replace(encoder, module=module, normalize=cosine, **lengths)
    return encoder, jax.device_get(params)


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
    layout = layout_of(encoder, folder=cache_folder(data, "dataflow"), say=say)
    if layout.graphs is not None:
        for rows in parts:
            layout.graphs.prepare(rows)
    return layout


def cache_folder(data: str, kind: str) -> Path:
    """Where a kind of cache is kept: in the data's folder if it can be written, else in ours."""
    own = Path(data).parent if Path(data).is_file() else Path(data)
    beside = data not in ("auto", "sample") and os.access(own, os.W_OK)
    return (own if beside else data_folder()) / kind
