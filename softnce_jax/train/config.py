"""The configuration of a run: what the user gives, and what it means once resolved."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from softnce_jax.encoders.presets import preset
from softnce_jax.errors import InputError

# The paper's alpha, beta and temperature for each estimator.
ESTIMATORS = {"bm25": {"alpha": 1.5, "beta": 0.5, "temperature": 1.0}, "none": {}}


@dataclasses.dataclass(frozen=True)
class Config:
    """Fine-tunes a text/code dual encoder and evaluates it.

    What is left out takes the paper's value for the encoder and the estimator chosen.
    """

    lang: str = "ruby"
    """ruby, javascript, go, python, java, php, or all."""
    data: str = "auto"
    """auto (CodeSearchNet where it is prepared, else the sample), sample, or a JSONL folder."""
    strict: bool = False
    """Make unusable rows an error instead of skipping and counting them."""
    encoder: str = "auto"
    """auto, tiny, codebert, graphcodebert, unixcoder, a Hub id or a local folder."""
    download: bool = False
    """Fetch the encoder from the Hub when it is not in the local cache."""
    loss: Literal["soft_infonce", "infonce"] = "soft_infonce"
    """The loss."""
    estimator: Literal["bm25", "none"] | None = None
    """What weights the negatives; bm25 for soft_infonce, none for infonce."""
    alpha: float | None = None
    """How much a similar negative is spared (alpha of Eq. 4)."""
    beta: float | None = None
    """How much all negatives count (beta of Eq. 4)."""
    temperature: float | None = None
    """Softens the estimator's similarities."""
    floor: float = 0.1
    """The smallest weight of a negative."""
    scale: float | None = None
    """Multiplies the scores; 1, or 20 where the encoder's vectors have unit length."""
    epochs: int | None = None
    """Passes over the training pairs."""
    batch_size: int | None = None
    """Pairs a step, over all devices."""
    learning_rate: float | None = None
    """The peak; it falls linearly to 0."""
    weight_decay: float = 0.0
    """AdamW's decay, sparing biases and LayerNorm."""
    warmup_epochs: float | None = None
    """Epochs over which the learning rate rises from 0."""
    clip_norm: float = 1.0
    """Largest global norm of the gradients."""
    query_length: int | None = None
    """Tokens of a query."""
    code_length: int | None = None
    """Tokens of a function."""
    dataflow: Literal["none", "published", "extended"] | None = None
    """Rules by which code comes with its data flow; published for graphcodebert."""
    flow_length: int | None = None
    """Places of a function's row that tokens leave to data flow, beside --code-length."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """The encoder's arithmetic; parameters and loss stay float32."""
    seed: int = 1234
    """Of initial weights, batches and dropout."""
    evaluate_every: float | None = None
    """Epochs between evaluations on the validation split, each followed by a checkpoint."""
    keep: int = 2
    """Latest checkpoints kept, beside the best."""
    out: str | None = None
    """The run's folder; by default runs/ and a name made from these choices."""


@dataclasses.dataclass(frozen=True)
class EvaluateConfig:
    """Evaluates a text/code encoder on a retrieval task, beside BM25."""

    model: str
    """A run folder, one of its checkpoints, a model folder, a preset's name or a Hub id."""
    lang: str = "ruby"
    """ruby, javascript, go, python, java, php, or all."""
    data: str = "auto"
    """auto (CodeSearchNet where it is prepared, else the sample), sample, or a JSONL folder."""
    split: Literal["test", "valid"] | None = None
    """Whose queries; test where it has any, else valid."""
    strict: bool = False
    """Make unusable rows an error instead of skipping and counting them."""
    download: bool = False
    """Fetch the encoder from the Hub when it is not in the local cache."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """The encoder's arithmetic."""
    query_length: int | None = None
    """Tokens of a query; what the model was trained with by default."""
    code_length: int | None = None
    """Tokens of a function; what the model was trained with by default."""
    depth: int = 1000
    """Candidates of a query in the run files."""
    seed: int = 1234
    """Of the bootstrap intervals."""
    out: str | None = None
    """Where results.json and the run and qrels files go; by default runs/ and a name."""


# Fields that change where a run is or how it is watched, not what it computes.
NOT_COMPARED = ("out", "download", "keep", "strict")


def resolve(config: Config, *, on_sample: bool, train_pairs: int) -> tuple[Config, list[str]]:
    """Fills in what was left out.

    Args:
      config: as given.
      on_sample: whether the data are the embedded sample, whose encoder is `tiny` by default.
      train_pairs: the size of the training split.

    Returns:
      The configuration without any None, and lines to tell the user.

    Raises:
      InputError: choices that contradict one another or the data, with both values.
    """
    if config.encoder == "auto":
        config = dataclasses.replace(config, encoder="tiny" if on_sample else "unixcoder")
    estimator = config.estimator or ("bm25" if config.loss == "soft_infonce" else "none")
    _check_target(config, estimator)
    defaults = preset(config.encoder)
    filled = {
        "estimator": estimator,
        **{name: ESTIMATORS[estimator].get(name, 0.0) for name in ESTIMATORS["bm25"]},
        **{
            name: getattr(defaults, name)
            for name in (
                "epochs",
                "batch_size",
                "learning_rate",
                "warmup_epochs",
                "query_length",
                "code_length",
                "dataflow",
                "flow_length",
                "evaluate_every",
            )
        },
    }
    if (config.dataflow or defaults.dataflow) == "none":
        filled["flow_length"] = 0
    filled = {name: value for name, value in filled.items() if getattr(config, name) is None}
    notes = []
    if "batch_size" in filled and filled["batch_size"] > train_pairs > 1:
        notes.append(f"batch size {filled['batch_size']} -> {train_pairs}: all training pairs")
        filled["batch_size"] = train_pairs
    config = dataclasses.replace(config, **filled)
    _check_numbers(config, train_pairs)
    encoder = Path(config.encoder).name
    name = f"{config.lang}-{encoder}-{config.loss}-{config.estimator}-{config.seed}"
    out = config.out or f"runs/{name}"
    return dataclasses.replace(config, out=out), notes


def _check_target(config: Config, estimator: str) -> None:
    if config.loss == "soft_infonce" and estimator == "none":
        raise InputError(
            "--loss soft_infonce needs an estimator: --estimator bm25, or --loss infonce"
        )
    if config.loss == "infonce" and estimator != "none":
        raise InputError(f"--loss infonce uses no estimator, --estimator {estimator} was given")
    unused = [n for n in ESTIMATORS["bm25"] if getattr(config, n) is not None]
    if config.loss == "infonce" and unused:
        raise InputError(f"--loss infonce has no --{unused[0]}")


def _check_numbers(config: Config, train_pairs: int) -> None:
    positive = ("batch_size", "epochs", "learning_rate", "query_length", "code_length", "keep")
    for name in (*positive, "evaluate_every", "clip_norm"):
        if not getattr(config, name) > 0:
            raise InputError(f"--{name.replace('_', '-')} {getattr(config, name)} is not positive")
    if config.flow_length < 0 or (config.flow_length > 0) != (config.dataflow != "none"):
        raise InputError(
            f"--flow-length {config.flow_length} with --dataflow {config.dataflow}: data flow "
            "needs places, and nothing else does"
        )
    if config.loss == "soft_infonce" and not config.temperature > 0:
        raise InputError(f"--temperature {config.temperature} is not positive")
    if not 0 <= config.warmup_epochs < config.epochs:
        raise InputError(
            f"--warmup-epochs {config.warmup_epochs} is not within --epochs {config.epochs}"
        )
    if train_pairs < 2:
        raise InputError(f"{train_pairs} training pairs: at least 2 are needed, one is no negative")
    if config.batch_size < 2:
        raise InputError("--batch-size 1 leaves no negatives: at least 2")
    if config.batch_size > train_pairs:
        raise InputError(f"--batch-size {config.batch_size} but only {train_pairs} training pairs")
    negatives = config.batch_size - 1
    if config.loss == "soft_infonce" and config.beta - config.alpha / negatives <= 0:
        raise InputError(
            f"beta - alpha/m is not positive: --beta {config.beta}, --alpha {config.alpha}, "
            f"m = {negatives} negatives; use a larger --batch-size or a smaller --alpha"
        )


def differences(old: dict, new: dict) -> list[str]:
    """The fields in which two stored configurations differ, as `name: old -> new`."""
    names = sorted({*old, *new} - set(NOT_COMPARED))
    return [
        f"{name}: {old.get(name)!r} -> {new.get(name)!r}"
        for name in names
        if old.get(name) != new.get(name)
    ]
