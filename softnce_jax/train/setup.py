"""From a configuration to what a run works on, in the order of the data.

Data, settled configuration, encoder, processor, batches, schedule, then the step and its state.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.sharding import Mesh

from softnce_jax.data.corpus import Candidate, Corpus, Joined, Pair, RowErrors, split_by_family
from softnce_jax.data.hard_negatives import HardNegatives, read_negatives
from softnce_jax.data.load import data_folder, load_corpora
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.prompts import LONGEST_TEXT
from softnce_jax.encoders.static_encoder import StaticEncoder
from softnce_jax.errors import InputError
from softnce_jax.files import to_path
from softnce_jax.mesh import replicated
from softnce_jax.pretrained.load import fingerprint, load
from softnce_jax.pretrained.presets import preset
from softnce_jax.pretrained.static_starts import static_from_texts
from softnce_jax.pretrained.tiny import tiny
from softnce_jax.train import distributed
from softnce_jax.train.batches import Features, TrainingBatches, batch_indices, batches
from softnce_jax.train.checkpoint import named_checksums
from softnce_jax.train.config import Config, resolve
from softnce_jax.train.diagnose import diagnosis
from softnce_jax.train.objective import Objective
from softnce_jax.train.state import (
    SCALE_PEAK,
    TrainState,
    create,
    learning_rate,
    optimizer,
    with_scale,
)
from softnce_jax.train.step import Step, make_step

log = logging.getLogger(__name__)

# Scores of unit vectors lie in [-1, 1]: without a scale their softmax is nearly flat.
UNIT_VECTOR_SCALE = 20.0
SIZED_AT_ONCE = 4096  # functions tokenized together


class TrainingData(NamedTuple):
    """What a run reads.

    Attributes:
      corpora: one a language.
      train: the training pairs of all of them.
      negatives: mined for the training pairs; None for none.
      notes: lines to tell the user.
    """

    corpora: list[Corpus]
    train: Sequence[Pair]
    negatives: HardNegatives | None
    notes: list[str]


class Schedule(NamedTuple):
    """Steps of a run in all, from one evaluation to the next, and of its warm-up."""

    total: int
    evaluate: int
    warmup: int


def read_data(config: Config) -> TrainingData:
    """The data that a configuration names.

    Raises:
      InputError: data or hard negatives that cannot be used, or a split without pairs.
    """
    corpora, notes = read_corpora(config)
    check_splits(corpora, ("train", "valid", "test"))
    train = Joined([corpus.train for corpus in corpora])
    row_errors = RowErrors(strict=config.strict)
    negatives = _read_negatives(config, train, row_errors)
    notes += [f"{config.negatives}: {line}" for line in row_errors.lines()]
    return TrainingData(corpora, train, negatives, notes)


def read_corpora(config: Any) -> tuple[list[Corpus], list[str]]:
    """The corpora that `data`, `lang`, `strict` and `fold` of a configuration name, and notes."""
    corpora, notes = load_corpora(config.data, config.lang, strict=config.strict)
    if config.fold is not None:
        corpora = [split_by_family(corpus, config.fold) for corpus in corpora]
    return corpora, notes


def check_splits(corpora: list[Corpus], splits: tuple[str, ...]) -> None:
    """Raises InputError where a split that is needed has no pairs."""
    for corpus in corpora:
        for split in splits:
            if not getattr(corpus, split):
                skipped = "; ".join(corpus.row_errors.lines())
                raise InputError(
                    f"{corpus.name}: no {corpus.language} pairs in the {split} split"
                    + (f" ({skipped})" if skipped else "")
                )


def _read_negatives(
    config: Config, train: Sequence[Pair], row_errors: RowErrors
) -> HardNegatives | None:
    if config.negatives is not None:
        options = {"per_query": config.negatives_per_query, "seed": config.seed}
        return read_negatives(config.negatives, train, **options, row_errors=row_errors)
    if config.negatives_per_query is not None:
        raise InputError(
            f"--negatives-per-query {config.negatives_per_query} of which file? Give --negatives "
            "FILE, as of experiments/mine_negatives.py"
        )
    return None


def settle(config: Config, data: TrainingData) -> tuple[Config, list[str]]:
    """The configuration with every default filled in, and lines to tell the user.

    Raises:
      InputError: choices that contradict one another or the data.
    """
    if data.negatives is not None:
        config = dataclasses.replace(config, negatives_per_query=data.negatives.index_RK.shape[1])
    on_sample = all(corpus.name == "sample" for corpus in data.corpora)
    return resolve(config, on_sample=on_sample, train_pairs=len(data.train))


def build_encoder(config: Config, train: Sequence[Pair]) -> tuple[Encoder | StaticEncoder, Any]:
    """The encoder the configuration names and its parameters before training, on the host.

    Raises:
      InputError: no such encoder, texts longer than it has positions, or flags that do not apply
        to it.
    """
    texts = (text for pair in train for text in (pair.query, pair.code))
    key = jax.random.key(config.seed)
    if config.encoder == "tiny":
        encoder, params = tiny(texts, key=key, dtype=config.precision)
    elif config.encoder == "static":
        encoder, params = static_from_texts(texts, key=key)
    else:
        encoder, params = load(config.encoder, dtype=config.precision, download=config.download)
        for name in ("query_length", "code_length"):
            here, own = getattr(config, name), getattr(encoder, name)
            if here != own:
                flag = f"--{name.replace('_', '-')} {here}"
                log.info(f"{config.encoder}: {flag}, while by itself it reads {own} tokens")
    if isinstance(encoder, StaticEncoder):
        _check_static(config)
    else:
        _check_lengths(config, encoder)
        module = encoder.module.clone(
            attention_dropout=config.attention_dropout,
            gradient_checkpointing=config.gradient_checkpointing,
        )
        encoder = dataclasses.replace(encoder, module=module)
    if config.similarity == "dot":
        encoder = encoder.unnormalized()
    encoder = dataclasses.replace(
        encoder,
        similarity=encoder.similarity if config.similarity == "auto" else config.similarity,
        query_length=config.query_length,
        code_length=config.code_length,
        dataflow=config.dataflow,
        flow_length=config.flow_length,
    ).for_ranking()
    return encoder, jax.device_get(params)


def origin(config: Config) -> dict[str, Any]:
    """What the parameters before training are, for a run's identity; no weights are loaded.

    Of an encoder that is loaded the hash of its weights, tokenizer and configuration, since a
    folder, and a branch of the Hub, may hold others tomorrow; of one that is drawn the generator
    that draws them, which variables as JAX_DEFAULT_PRNG_IMPL choose.

    Args:
      config: settled.

    Returns:
      `encoder_hash` and `random_generator`, one of them None.

    Raises:
      InputError: no such encoder.
    """
    if preset(config.encoder).checkpoint is not None:
        encoder_hash = fingerprint(config.encoder, download=config.download)
        return {"encoder_hash": encoder_hash, "random_generator": None}
    generator = jax.config.jax_default_prng_impl
    if jax.config.jax_threefry_partitionable:
        generator += ", partitionable"
    return {"encoder_hash": None, "random_generator": generator}


def _check_static(config: Config) -> None:
    """Raises InputError where a flag is given that a static encoder has no use for."""
    if preset(config.encoder).query_length != LONGEST_TEXT:
        raise InputError(
            f"{config.encoder} is a static model: name its folder instead of its Hub id, so that "
            "the defaults are those of one"
        )
    unused = {
        "--query-length": config.query_length != LONGEST_TEXT and config.query_length,
        "--code-length": config.code_length != LONGEST_TEXT and config.code_length,
        "--dataflow": config.dataflow != "none" and config.dataflow,
        "--micro-batch": config.micro_batch,
        "--gradient-checkpointing": config.gradient_checkpointing,
        "--layout": config.layout != "packed" and config.layout,
        "--precision": config.precision != "float32" and config.precision,
        "--attention-dropout": config.attention_dropout != "shared" and config.attention_dropout,
    }
    for flag, value in unused.items():
        if value:
            given = flag if value is True else f"{flag} {value}"
            raise InputError(
                f"{given} does not apply to --encoder {config.encoder}: a static encoder reads "
                "whole texts, and has a table in the place of a network"
            )


def _check_lengths(config: Config, encoder: Encoder) -> None:
    """Raises where no text fits, or a query or a function with its data flow has no positions."""
    query, code = f"--query-length {config.query_length}", f"--code-length {config.code_length}"
    specials = encoder.tokenizer.special_count
    for flag, length in {query: config.query_length, code: config.code_length}.items():
        if length <= specials:
            raise InputError(
                f"{flag}, but every text has {specials} special tokens: give more than those"
            )
    if config.flow_length:
        code += f" and --flow-length {config.flow_length}"
    needed = {query: config.query_length, code: config.code_length + config.flow_length}
    for flags, positions in needed.items():
        if positions > encoder.max_length:
            raise InputError(f"{flags}, but {config.encoder} has {encoder.max_length} positions")


def make_processor(
    encoder: Encoder | StaticEncoder, parts: Iterable[Sequence[Pair | Candidate]], data: str
) -> Processor:
    """The encoder's processor, the data flow of the functions extracted where it reads that.

    Args:
      encoder: what the rows are for.
      parts: the functions that will be needed, such as a split and a codebase; cached by the part.
      data: the flag, beside which the cache lies.
    """
    processor = Processor.of(encoder, cache_folder=cache_folder(data, "dataflow"))
    if processor.graphs is not None:
        for rows in parts:
            processor.graphs.prepare(rows)
    return processor


def functions_of_run(data: TrainingData) -> Iterable[Sequence[Pair | Candidate]]:
    """The functions that a run embeds, split by split."""
    return (rows for corpus in data.corpora for rows in (corpus.train, corpus.codebase))


def cache_folder(data: str, kind: str) -> Path:
    """Where a kind of cache lies: in the data's folder if that is writable, else in ours."""
    path = to_path(data)
    folder = path.parent if path.is_file() else path
    beside = data not in ("auto", "sample") and os.access(folder, os.W_OK)
    return (folder if beside else data_folder()) / kind


def make_batches(
    config: Config,
    train: Sequence[Pair],
    processor: Processor,
    features: Features | None,
    negatives: HardNegatives | None,
    mesh: Mesh,
) -> TrainingBatches:
    """The rows that this process has of every batch of training pairs, and the pairs' urls."""
    indices = batch_indices(len(train), config.batch_size, config.seed)
    dataset = batches(
        indices,
        train,
        processor,
        features,
        keys=negatives is not None or config.duplicates != "keep",
        negatives=negatives and negatives.index_RK,
        shard=(jax.process_index(), jax.process_count()),
        groups=mesh.size * slices_of(config),
        code_sizes=_code_sizes(train, processor),
        one_text_per_row=config.layout == "padded",
    )
    return TrainingBatches(
        dataset, lambda number: [train[i].url for i in np.asarray(indices[number])]
    )


def slices_of(config: Config) -> int:
    """The number of slices of a batch that are encoded one after the other."""
    return config.batch_size // (config.micro_batch or config.batch_size)


def _code_sizes(pairs: Sequence[Pair], processor: Processor) -> np.ndarray | None:
    """What every function takes of a row or of bags, (R, 3), where processes must agree on shapes.

    Each process measures a share of them. None for one process, which sees all of a batch.
    """
    count = jax.process_count()
    if count == 1:
        return None
    share = range(jax.process_index(), len(pairs), count)
    size_S3 = np.zeros((-(-len(pairs) // count), 3), np.int32)
    for start in range(0, len(share), SIZED_AT_ONCE):
        some = [pairs[i] for i in share[start : start + SIZED_AT_ONCE]]
        size_S3[start : start + len(some)] = processor.sizes(processor.codes(some))
    # Process p measured pairs p, p + count, ...: interleaved they are in order again.
    return distributed.all_gather(size_S3).swapaxes(0, 1).reshape(-1, 3)[: len(pairs)]


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


def scale_of(config: Config, encoder: Encoder | StaticEncoder) -> float:
    """The factor on the scores in the loss; a learned one's before the first step."""
    if config.scale in (None, "learned"):
        return UNIT_VECTOR_SCALE if encoder.normalize else 1.0
    return config.scale


def build_step(
    config: Config, encoder: Encoder | StaticEncoder, initial: Any, schedule: Schedule, mesh: Mesh
) -> tuple[Step, TrainState]:
    """The jitted step, and the state before the first one on every device.

    Args:
      config: settled.
      encoder: that is trained.
      initial: its parameters before training, on the host.
      schedule: of the learning rate.
      mesh: that the state is replicated on.

    Raises:
      InputError: processes start from different parameters.
    """
    distributed.agree(lambda: {"the weights to start from": named_checksums(initial)})
    step, start = step_and_start(config, encoder, schedule)
    return step, jax.jit(start, out_shardings=replicated(mesh))(initial)


def step_and_start(
    config: Config, encoder: Encoder | StaticEncoder, schedule: Schedule
) -> tuple[Step, Callable[[Any], TrainState]]:
    """The jitted step, and what makes the state before the first one of parameters.

    Args:
      config: settled.
      encoder: that is trained.
      schedule: of the learning rate.
    """
    rate = learning_rate(config.learning_rate, schedule.total, schedule.warmup)
    tx = optimizer(rate, clip_norm=config.clip_norm, weight_decay=config.weight_decay)
    scale = scale_of(config, encoder)
    objective = Objective(config, scale)
    scale_tx = optax.adam(learning_rate(SCALE_PEAK, schedule.total, schedule.warmup))
    step = make_step(
        encoder,
        objective,
        tx,
        rate,
        config.seed,
        slices=slices_of(config),
        diagnose=diagnosis(config, objective),
        scale_tx=scale_tx,
    )

    def start(params):
        state = create(params, tx)
        return with_scale(state, scale, scale_tx) if config.scale == "learned" else state

    return step, start
