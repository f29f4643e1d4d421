"""`softnce evaluate`: scores any encoder on any data, beside BM25."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import arg

from softnce_jax.files import to_path
from softnce_jax.languages import LANGUAGES
from softnce_jax.typed import Count, Length, OutPath, Seed, check_fields

if TYPE_CHECKING:
    from softnce_jax.encoders.encoder import Encoder

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Flags:
    """Evaluates a text/code encoder on a retrieval task, beside BM25."""

    model: str
    """A run folder, one of its checkpoints, a model folder, a preset's name or a Hub id."""
    lang: Annotated[str, arg(help=f"{', '.join(LANGUAGES)}, or all.")] = "ruby"
    data: str = "auto"
    """auto (CodeSearchNet where prepared, else the sample), sample, or your folder or file."""
    split: Literal["test", "valid"] | None = None
    """Whose queries; test where it has any, else valid."""
    judgements: str | None = None
    """Graded relevance to score instead: CodeSearchNet's annotationStore.csv, or qrels."""
    strict: bool = False
    """Make unusable rows an error instead of skipping and counting them."""
    download: bool = False
    """Fetch the encoder from the Hub when it is not in the local cache."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """The encoder's arithmetic."""
    query_length: Length | None = None
    """Tokens of a query; what the model was trained with by default."""
    code_length: Length | None = None
    """Tokens of a function; what the model was trained with by default."""
    depth: Count = 1000
    """Candidates of a query in the run files."""
    seed: Seed = 1234
    """Of the bootstrap intervals."""
    out: OutPath | None = None
    """Where results.json and the run and qrels files go; by default runs/ and a name."""


def main(flags: Flags) -> None:
    """Scores the model that the flags name."""
    from softnce_jax.train.compile_cache import cached_compilations

    with cached_compilations():
        evaluate(flags)


def evaluate(flags: Flags) -> dict[str, Any]:
    """Scores a model and BM25 on a split or on graded queries; writes results.json and queries.npz.

    Vectors are cached in the output folder until the end, so that the same command resumes.

    Raises:
      InputError: a model or data that cannot be used, before any work.
    """
    from softnce_jax.mesh import without_x64

    check_fields(flags)
    with without_x64():
        return _evaluate(flags)


def _evaluate(flags: Flags) -> dict[str, Any]:
    from softnce_jax.data.load import load_corpora
    from softnce_jax.encoders.embed import UNFINISHED, Embedder
    from softnce_jax.errors import InputError
    from softnce_jax.files import write_json
    from softnce_jax.mesh import devices, make_mesh
    from softnce_jax.retrieval.per_query import QueryScores, write_queries
    from softnce_jax.retrieval.tasks import GradedTask, SplitTask, choose_split
    from softnce_jax.train.report import show, summaries
    from softnce_jax.train.setup import make_processor
    from softnce_jax.train.versions import versions

    if flags.judgements and flags.split:
        raise InputError(f"--split {flags.split}: judged queries are in no split")
    mesh = make_mesh(devices())
    corpora, notes = load_corpora(flags.data, flags.lang, strict=flags.strict)
    tasks = [
        GradedTask(to_path(flags.judgements), corpus, strict=flags.strict)
        if flags.judgements
        else SplitTask(corpus, choose_split(corpus, flags.split), flags.depth)
        for corpus in corpora
    ]
    encoder, params = open_model(flags)
    encoder = dataclasses.replace(
        encoder,
        query_length=flags.query_length or encoder.query_length,
        code_length=flags.code_length or encoder.code_length,
    )
    for line in notes:
        log.info(line)
    processor = make_processor(encoder, (corpus.codebase for corpus in corpora), flags.data)
    out = to_path(flags.out or default_out(flags))
    out.mkdir(parents=True, exist_ok=True)
    embedder = Embedder(encoder, mesh)
    values: dict[str, dict] = {}
    for task in tasks:
        log.info(task.describe())
        values[task.language] = task.score(embedder, params, processor, out)
    write_queries(out, QueryScores(values, {task.language: task.hashes() for task in tasks}))
    results = {
        "config": dataclasses.asdict(flags),
        "protocol": {task.language: task.protocol() for task in tasks},
        "metrics": summaries(values, seed=flags.seed),
        "versions": versions(),
    }
    write_json(out / "results.json", results)
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)
    show(results, out)
    return results


def default_out(flags: Flags) -> str:
    """The folder of an evaluation, named after the model."""
    path = to_path(flags.model)
    name = path.resolve().name if path.exists() else flags.model
    kind = "judged" if flags.judgements else "evaluate"
    return f"runs/{kind}-{name.replace('/', '_')}-{flags.lang}"


def open_model(flags: Flags) -> tuple[Encoder, Any]:
    """The encoder and parameters of a run folder, a checkpoint of it, a folder or a Hub id."""
    from softnce_jax.pretrained.load import load

    path = to_path(flags.model)
    if path.name.isdigit() and path.parent.name == "checkpoints":
        return _open_checkpoint(path, precision=flags.precision, download=flags.download)
    encoder, params = load(flags.model, dtype=flags.precision, download=flags.download)
    return encoder.for_ranking(), params


def _open_checkpoint(path: Path, *, precision: str, download: bool) -> tuple[Encoder, Any]:
    """The encoder and parameters of `RUN/checkpoints/STEP`, on any number of devices.

    Args:
      path: of the step's folder.
      precision: of the encoder's arithmetic.
      download: whether the run's encoder may be fetched from the Hub.

    Raises:
      InputError: no such checkpoint, or not one of fine-tuning.
    """
    from softnce_jax.errors import InputError
    from softnce_jax.mesh import devices, make_mesh
    from softnce_jax.pretrained.presets import preset
    from softnce_jax.train.checkpoint import Checkpoints, read_config
    from softnce_jax.train.config import Config, StoredConfig, differences
    from softnce_jax.train.setup import (
        build_encoder,
        build_step,
        origin,
        read_data,
        schedule_of,
    )
    from softnce_jax.typed import check_type

    if not path.is_dir():
        raise InputError(f"{path}: no such checkpoint")
    stored = read_config(path.parent, int(path.name))
    if missing := sorted(StoredConfig.__required_keys__ - stored.keys()):
        raise InputError(
            f"{path}: not a checkpoint of fine-tuning (its configuration has no {missing[0]}); "
            "name a finished run or its model/"
        )
    check_type(stored, StoredConfig, f"{path}: its configuration")
    # A field that a later release added has its default.
    names = [field.name for field in dataclasses.fields(Config)]
    settled = {name: stored[name] for name in names if name in stored}
    settled |= {"precision": precision, "download": download}
    # Its hard negatives are no part of the model, and their file may be gone; nor is its loss,
    # which may name code of others: that would be imported.
    unused = {"negatives": None, "negatives_per_query": None, "duplicates": "keep"}
    unused |= {"loss": "infonce", "estimator": "none", "symmetric": False}
    config = Config(**settled | unused)
    data = read_data(config)
    now = stored | {"encoder_hash": origin(config)["encoder_hash"]}
    if preset(config.encoder).checkpoint is None:  # its tokenizer is made of the data
        now["data_hash"] = [corpus.hash() for corpus in data.corpora]
    if changed := differences(stored, now):
        raise InputError(f"{path}: it is of something else ({'; '.join(changed)})")
    encoder, initial = build_encoder(config, data.train)
    # Orbax restores into the shapes of a state, the optimiser's among them.
    schedule = schedule_of(config, len(data.train))
    _, like = build_step(config, encoder, initial, schedule, make_mesh(devices()))
    checkpoints = Checkpoints(path.parent, stored)
    try:
        return encoder, checkpoints.restore_step(int(path.name), like).state.params
    finally:
        checkpoints.close()
