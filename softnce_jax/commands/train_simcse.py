"""`softnce train-simcse`: a sentence encoder, trained on queries alone (unsupervised SimCSE).

It is fine-tuning on pairs of a query and itself, under two dropout masks: data, batches, step,
loop, checkpoints and run folder are those of `train/`. The model is that of the last step, as in
the paper's code: only a downstream task validates a sentence encoder, and alignment alone would
choose a collapsed one. Alignment and uniformity are logged at every evaluation, to show a run that
goes wrong.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from tyro.conf import arg

from softnce_jax.encoders.prompts import LONGEST_TEXT
from softnce_jax.errors import InputError
from softnce_jax.files import to_path
from softnce_jax.languages import LANGUAGES
from softnce_jax.pretrained.presets import preset
from softnce_jax.train.config import Config, resolve
from softnce_jax.typed import (
    Count,
    Length,
    NotNegative,
    OutPath,
    Positive,
    Seed,
    check_fields,
    check_type,
)

if TYPE_CHECKING:
    from pathlib import Path

    from softnce_jax.data.corpus import Pair
    from softnce_jax.encoders.encoder import Encoder
    from softnce_jax.retrieval.tasks import SentenceTask
    from softnce_jax.train.setup import Schedule

log = logging.getLogger(__name__)

BATCH_SIZE = 256  # the paper's


@dataclasses.dataclass(frozen=True)
class Flags:
    """Trains a sentence encoder on queries alone (unsupervised SimCSE).

    Two dropout passes of a query are a positive pair, the other queries of the batch negatives.
    Defaults are the paper's. The run's model/ is what --sentence-model takes.
    """

    lang: Annotated[str, arg(help=f"{', '.join(LANGUAGES)}, or all.")] = "all"
    data: str = "auto"
    """auto (CodeSearchNet where prepared, else the sample), sample, or your folder or file."""
    strict: bool = False
    """Make unusable rows an error instead of skipping and counting them."""
    model: str = "sentence-transformers/msmarco-distilbert-dot-v5"
    """A BERT, DistilBERT or RoBERTa to start from: a Hub id or a local folder."""
    download: bool = False
    """Fetch the model from the Hub when it is not in the local cache."""
    temperature: Positive = 0.07
    """Divides the cosines."""
    epochs: Count = 10
    """Passes over the different training queries."""
    batch_size: Count | None = None
    """Queries a step, over all devices; 256, or all where they are fewer."""
    learning_rate: Positive = 5e-4
    """The peak; it falls linearly to 0."""
    weight_decay: NotNegative = 0.0
    """AdamW's decay, sparing biases and LayerNorm."""
    warmup_epochs: NotNegative = 0.0
    """Epochs over which the learning rate rises from 0."""
    clip_norm: Positive = 1.0
    """Largest global norm of the gradients."""
    query_length: Length = 128
    """Tokens of a query."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """The encoder's arithmetic; parameters and loss stay float32."""
    seed: Seed = 1234
    """Of batches and dropout."""
    evaluate_every: Positive = 1.0
    """Epochs between evaluations on the validation queries, each followed by a checkpoint."""
    keep: Count = 2
    """Number of the latest checkpoints that stay."""
    log: Literal["tensorboard"] | None = None
    """Write events for TensorBoard, too, into the run's folder; metrics.jsonl is always written."""
    out: OutPath | None = None
    """The run's folder; by default runs/ and a name made from these choices."""


def main(flags: Flags) -> None:
    """Trains or resumes the run that the flags name."""
    from softnce_jax.train import distributed

    with distributed.processes():  # before imports that use a device
        from softnce_jax.train.compile_cache import cached_compilations

        with cached_compilations():
            train_simcse(flags)


def train_simcse(flags: Flags) -> dict[str, Any]:
    """Trains, or resumes, the run that the flags name; returns its results.

    Raises:
      InputError: bad input, before any work.
      FloatingPointError: a loss or gradient that is not finite; nothing is saved after it.
      SystemExit: a signal came; the state is saved and the same call resumes.
    """
    from softnce_jax.mesh import without_x64

    check_fields(flags)
    with without_x64():
        return _train_simcse(flags)


def _train_simcse(flags: Flags) -> dict[str, Any]:
    import jax

    from softnce_jax.data.corpus import unique_queries
    from softnce_jax.data.load import load_corpora
    from softnce_jax.encoders.embed import Embedder
    from softnce_jax.encoders.processor import Processor
    from softnce_jax.mesh import check_batch_size, devices, make_mesh
    from softnce_jax.retrieval.tasks import SentenceTask
    from softnce_jax.train.loop import train
    from softnce_jax.train.run_folder import RunFolder
    from softnce_jax.train.setup import check_splits, make_batches, origin, schedule_of
    from softnce_jax.train.tensorboard import check_installed
    from softnce_jax.train.versions import versions

    check_installed(flags.log)
    mesh = make_mesh(devices())

    corpora, notes = load_corpora(flags.data, flags.lang, strict=flags.strict)
    check_splits(corpora, ("train", "valid"))
    given = [pair for corpus in corpora for pair in corpus.train]
    # A repeated query would be its own negative.
    queries = unique_queries(given)
    flags, config, more = settle(flags, queries=len(queries))
    check_batch_size(config.batch_size, mesh)
    pairs = with_themselves(queries)

    identity = dataclasses.asdict(flags) | {"data_hash": [corpus.hash() for corpus in corpora]}
    identity |= origin(config)
    run = RunFolder(flags.out, identity)
    run.agree()
    if (results := run.whole_results()) is not None:
        show(check_type(results, _Results, run.folder / "results.json"), run.folder)
        return results

    encoder, initial = sentence_encoder(config, pairs)
    schedule = schedule_of(config, len(pairs))
    sizes = [(c.name, c.language, len(c.train), len(c.valid)) for c in corpora]
    lines = describe(flags, config, sizes, len(pairs), encoder, initial, schedule)
    for line in [*notes, *more, *lines]:
        log.info(line)
    processor = Processor.of(encoder).caching()
    processor = processor._replace(code_prompt=processor.query_prompt)  # both are queries
    batches = make_batches(config, pairs, processor, None, None, mesh)
    run.start()

    embedder = Embedder(encoder, mesh)
    task = SentenceTask([pair for corpus in corpora for pair in corpus.valid], embedder)

    def validate(params: Any) -> dict[str, float]:
        return {f"valid_{name}": value for name, value in task.measure(params).items()}

    params, *_ = train(config, run, embedder, initial, batches, schedule, validate)

    run.export(encoder, params)
    results = {
        "config": identity,
        "protocol": protocol(len(pairs), len(given), task),
        "metrics": {"before": task.measure(initial), "after": task.measure(params)},
        "devices": [device.device_kind for device in jax.devices()],
        "versions": versions(),
    }
    run.finish(results)
    show(results, run.folder)
    return results


def settle(flags: Flags, *, queries: int) -> tuple[Flags, Config, list[str]]:
    """Fills in what was left out, and translates it into a configuration of fine-tuning.

    That is InfoNCE of queries with themselves as their code, scaled by 1/temperature: the step
    embeds a query and its code as two texts, each with its own dropout mask.

    Args:
      flags: as given.
      queries: the number of different training queries.

    Returns:
      The flags without any None, the configuration of fine-tuning, and lines to tell the user.

    Raises:
      InputError: choices that contradict one another or the data, with both values.
    """
    check_fields(flags)
    notes = []
    if flags.batch_size is None:
        flags = dataclasses.replace(flags, batch_size=min(BATCH_SIZE, queries))
        if queries < BATCH_SIZE:
            notes.append(f"batch size {BATCH_SIZE} -> {queries}: all different training queries")
    out = flags.out or f"runs/simcse-{flags.lang}-{to_path(flags.model).name}-{flags.seed}"
    flags = dataclasses.replace(flags, out=out)
    shared = dataclasses.asdict(flags)
    model, temperature = shared.pop("model"), shared.pop("temperature")
    finetuning = Config(
        **shared,
        encoder=model,
        code_length=flags.query_length,
        dataflow="none",
        attention_dropout="elementwise",  # a shared draw would be the same in both passes
        loss="infonce",
        scale=1 / temperature,
    )
    return flags, resolve(finetuning, on_sample=False, train_pairs=queries)[0], notes


def with_themselves(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs of each query and itself."""
    return [dataclasses.replace(p, code=p.query, source=p.query) for p in pairs]


def sentence_encoder(config: Config, pairs: Sequence[Pair]) -> tuple[Encoder, Any]:
    """The model to start from, its vectors of unit length, and its parameters on the host.

    Raises InputError where it has no dropout, without which SimCSE has no positive pairs.
    """
    from softnce_jax.train.setup import build_encoder

    useless = "so the two passes of a query are identical and teach nothing"
    if preset(config.encoder).query_length == LONGEST_TEXT:  # before flags that it has no use for
        raise InputError(f"{config.encoder}: a static encoder has no dropout, {useless}")
    encoder, params = build_encoder(config, pairs)
    if not max(encoder.dropouts) > 0:
        raise InputError(
            f"{config.encoder}: its config.json sets every dropout to 0, {useless}; set "
            "hidden_dropout_prob (DistilBERT: dropout) to 0.1 there"
        )
    return dataclasses.replace(encoder, normalize=True), params


def describe(
    flags: Flags,
    config: Config,
    sizes: Sequence[tuple[str, str, int, int]],
    queries: int,
    encoder: Encoder,
    params: Any,
    schedule: Schedule,
) -> list[str]:
    """The plan of a run, line by line: data, encoder, loss, training."""
    from softnce_jax.train.report import encoder_line, training_lines

    given = sum(train for _, _, train, _ in sizes)
    hidden, attention = encoder.dropouts
    return [
        *(
            f"data      {name}, {language}: {train} train, {valid} valid queries"
            for name, language, train, valid in sizes
        ),
        f"queries   {queries} different ones to train on: {given - queries} "
        f"duplicates of {given} removed",
        encoder_line(config, encoder, params),
        f"loss      infonce of two dropout passes ({hidden:g}, attention {attention:g}), "
        f"cosine / {flags.temperature:g}",
        *training_lines(config, schedule),
    ]


def protocol(queries: int, given: int, task: SentenceTask) -> dict[str, Any]:
    """What the numbers of a run depend on."""
    return {
        "train_queries": queries,
        "duplicates_removed": given - queries,
        "valid_queries": len(task.queries),
        "positive_pairs": task.positive_pairs,
        "positives": task.positives,
        "alignment": "mean |x - y|^2 over the positive pairs",
        "uniformity": "log of the mean of exp(-2 |x - y|^2) over all pairs of validation queries",
        "selection": "the last step",
    }


class _Protocol(TypedDict):
    valid_queries: int
    positive_pairs: int
    positives: str


class _Measured(TypedDict):
    alignment: float
    uniformity: float


class _Results(TypedDict):
    """What is read of a run's results.json."""

    protocol: _Protocol
    metrics: dict[str, _Measured]


def show(results: dict, folder: Path) -> None:
    """Logs alignment and uniformity before and after, and the run's folder."""
    about = results["protocol"]
    log.info(
        f"\n{about['valid_queries']} validation queries; alignment over "
        f"{about['positive_pairs']} pairs: {about['positives']}"
    )
    log.info("        alignment  uniformity  (both are better when lower)")
    for name, values in results["metrics"].items():
        log.info(f"{name:<6}  {values['alignment']:<9.4f}  {values['uniformity']:.4f}")
    log.info(f"\nrun folder: {folder}")
