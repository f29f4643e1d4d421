"""The configuration of a run: the flags as given, and settled with every default filled in."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal, Required, TypedDict, get_type_hints

import tyro

from softnce_jax import registry
from softnce_jax.errors import InputError
from softnce_jax.estimators.spec import parse
from softnce_jax.files import safe_name, to_path
from softnce_jax.languages import LANGUAGES
from softnce_jax.pretrained.presets import preset
from softnce_jax.typed import (
    Count,
    Factor,
    Length,
    Name,
    NotNegative,
    OutPath,
    Positive,
    Seed,
    Size,
    check_fields,
)

# Every flag that some loss or its target reads.
LOSS_SETTINGS = sorted({name for row in registry.LOSSES.values() for name in row.settings})
CUSTOM = "package.module:function"


@dataclasses.dataclass(frozen=True)
class Config:
    """Fine-tunes a text/code dual encoder and evaluates it.

    What is left out takes the paper's value for the encoder and the estimator chosen.
    """

    lang: Annotated[str, tyro.conf.arg(help=f"{', '.join(LANGUAGES)}, or all.")] = "ruby"
    data: str = "auto"
    """auto (CodeSearchNet where prepared, else the sample), sample, or your folder or file."""
    strict: bool = False
    """Make unusable rows an error instead of skipping and counting them."""
    fold: Size | None = None
    """Cross-validation over families: which quarter of them, 0 to 3, is tested."""
    encoder: str = "auto"
    """A preset, a Hub id or a folder. Presets: tiny, static, codebert, graphcodebert, unixcoder;
    auto is tiny on the sample, unixcoder elsewhere."""
    download: bool = False
    """Fetch models from the Hub when they are not in the local cache."""
    loss: Annotated[
        str, tyro.conf.arg(help=f"The loss: {', '.join(registry.LOSSES)}, or {CUSTOM}.")
    ] = "soft_infonce"
    estimator: Annotated[
        str | None,
        tyro.conf.arg(
            help=f"{', '.join(registry.ESTIMATORS)}, {CUSTOM}, a sum as 0.5*bm25+2*sentence, or "
            "none; by default bm25, and none for a loss that reads no similarity."
        ),
    ] = None
    bm25_statistics: Literal["batch", "corpus"] = "batch"
    """Document frequencies of the batch (published) or of all training queries."""
    sentence_model: str | None = None
    """Of --estimator sentence: a run, folder or Hub id; msmarco-distilbert-dot-v5 by default."""
    teacher: str | None = None
    """Of --estimator teacher: a run or model folder, or a Hub id."""
    alpha: Factor | None = None
    """How much a similar negative is spared (Eq. 4); for kl_regularized the divergence's factor."""
    beta: Factor | None = None
    """How much all negatives count (Eq. 4); for kl_regularized InfoNCE's factor."""
    temperature: Positive | None = None
    """Divides similarities before their softmax: lower is sharper. The estimator's by default."""
    floor: NotNegative | None = None
    """The smallest weight of a negative; 0.1."""
    cancel_k: Size | None = None
    """Negatives of a row that cancel_top_k drops; 1."""
    cancel_ratio: Positive | None = None
    """cancel_threshold drops negatives at least this share as similar as the positive; 0.5."""
    symmetric: bool = False
    """Let each code look for its query, too (infonce, soft_infonce)."""
    duplicates: Literal["keep", "exclude", "weight"] = "keep"
    """Pairs of a batch with the same query or code text: negatives of one another, as published;
    left out; or weighted as the most similar that there are."""
    negatives: str | None = None
    """Hard negatives of the training queries, a file that mine_negatives.py wrote."""
    negatives_per_query: Count | None = None
    """How many of the file's, the most similar first; all by default."""
    similarity: Literal["auto", "dot", "cosine"] = "auto"
    """How vectors are compared, here and in the exported model; auto: as the encoder does."""
    scale: Positive | Literal["learned"] | None = None
    """Multiplies the scores; 1, or 20 where the encoder's vectors have unit length; learned: it
    begins there and is trained, up to 100."""
    epochs: Count | None = None
    """Passes over the training pairs."""
    batch_size: Count | None = None
    """Pairs a step, over all devices."""
    micro_batch: Count | None = None
    """Pairs encoded at a time, over all devices, all by default: bounds memory. The loss and its
    gradients stay those of the whole batch; texts are encoded twice."""
    learning_rate: Positive | None = None
    """The peak, from which it falls linearly to 0."""
    weight_decay: NotNegative = 0.0
    """AdamW's decay, sparing biases and LayerNorm."""
    warmup_epochs: NotNegative | None = None
    """Epochs over which the learning rate rises from 0."""
    clip_norm: Positive = 1.0
    """Largest global norm of the gradients."""
    query_length: Length | None = None
    """Tokens of a query."""
    code_length: Length | None = None
    """Tokens of a function."""
    dataflow: Literal["none", "published", "extended"] | None = None
    """Rules by which code comes with its data flow; published for graphcodebert."""
    flow_length: Size | None = None
    """Positions of a function's row for data flow, beside the --code-length ones of its tokens."""
    layout: Literal["packed", "padded"] = "packed"
    """Texts share rows, or each has a padded row to itself: the same numbers, more slowly."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """The encoder's arithmetic; parameters, softmax and loss stay float32."""
    attention_dropout: Literal["shared", "elementwise", "off"] = "shared"
    """One draw of dropped attention weights for all texts and heads (as transformers' Flax models),
    one for each weight (as PyTorch, slower), or none."""
    gradient_checkpointing: bool = False
    """Recompute each layer for its gradient: less memory, a fifth more time."""
    warm_up: bool = False
    """Compile for all shapes of the first epoch's batches before the first step."""
    seed: Seed = 1234
    """Of initial weights, batches and dropout."""
    evaluate_every: Positive | None = None
    """Epochs between evaluations on the validation split, each followed by a checkpoint; 1
    by default."""
    keep: Count = 2
    """Number of the latest checkpoints that stay, beside the best."""
    log: Literal["tensorboard"] | None = None
    """Write events for TensorBoard, too, into the run's folder; metrics.jsonl is always written."""
    out: OutPath | None = None
    """The run's folder; by default runs/ and a name made from these choices."""


# The configuration of a run as it is stored; a release may add fields, and a file may lack them.
StoredConfig = TypedDict(
    "StoredConfig",
    get_type_hints(Config, include_extras=True)
    | {name: Required[Name] for name in ("lang", "data", "encoder", "loss", "estimator")}
    | {"seed": Required[Seed]},
    total=False,
)

# Fields of which the result does not depend: where a run is, how it is watched and laid out.
# An estimator's model and the file of negatives are compared by their hashes instead.
NOT_COMPARED = (
    "out",
    "download",
    "keep",
    "log",
    "strict",
    *(row.model for row in registry.ESTIMATORS.values() if row.model),
    "negatives",
    "layout",
    "gradient_checkpointing",
    "micro_batch",
    "warm_up",
)


# What the last release did not store: where an older file lacks it, nobody knows, and it is not
# compared.
ADDED = ("encoder_hash", "random_generator")
PATHS = ("data", "encoder", "model")  # `model` is the encoder of train_simcse.py

FROM_PRESET = (
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


def resolve(config: Config, *, on_sample: bool, train_pairs: int) -> tuple[Config, list[str]]:
    """Fills in what was left out.

    Args:
      config: as given.
      on_sample: whether the data are the embedded sample, whose encoder is `tiny` by default.
      train_pairs: the size of the training split.

    Returns:
      The configuration with all that its loss and estimator read, and lines to tell the user.

    Raises:
      InputError: a field out of its range, or choices that contradict one another or the data, with
        both values.
    """
    check_fields(config)
    if config.encoder == "auto":
        config = dataclasses.replace(config, encoder="tiny" if on_sample else "unixcoder")
    loss = registry.loss(config.loss)
    estimator = config.estimator or ("none" if loss.target is None else "bm25")
    _check_loss(config, loss, estimator)
    _check_estimator(config, estimator)
    defaults = preset(config.encoder)
    filled = {
        "estimator": estimator,
        **_loss_settings(config, loss, estimator),
        **{name: getattr(defaults, name) for name in FROM_PRESET},
    }
    for row in map(registry.estimator, _names(estimator)):
        if row.default_model is not None:
            filled[row.model] = row.default_model
    if (config.dataflow or defaults.dataflow) == "none":
        filled["flow_length"] = 0
    filled = {name: value for name, value in filled.items() if getattr(config, name) is None}
    notes = []
    if "batch_size" in filled and filled["batch_size"] > train_pairs > 1:
        notes.append(f"batch size {filled['batch_size']} -> {train_pairs}: all training pairs")
        filled["batch_size"] = train_pairs
    config = dataclasses.replace(config, **filled)
    _check_numbers(config, loss, train_pairs)
    return dataclasses.replace(config, out=config.out or f"runs/{run_name(config)}"), notes


def run_name(config: Config) -> str:
    """The name of a settled configuration's run, by its main choices."""
    encoder, estimator = to_path(config.encoder).name, safe_name(config.estimator)
    name = f"{config.lang}-{encoder}-{safe_name(config.loss)}-{estimator}-{config.seed}"
    name += "" if config.fold is None else f"-fold{config.fold}"
    return name + ("" if config.negatives is None else f"-negatives{config.negatives_per_query}")


def _loss_settings(config: Config, loss: registry.Loss, estimator: str) -> dict:
    """The settings that the loss reads: its own default, else that of the sum's first estimator."""
    if not (names := _names(estimator)):
        return dict(loss.settings)
    first = registry.estimator(names[0])
    if "temperature" in loss.settings and first.temperature is None and config.temperature is None:
        raise InputError(
            f"--estimator {estimator} has no default temperature: give --temperature, in the "
            f"unit of {names[0]}"
        )
    return {
        name: getattr(first, name) if default is None else default
        for name, default in loss.settings.items()
    }


def _check_loss(config: Config, loss: registry.Loss, estimator: str) -> None:
    if loss.target is not None and estimator == "none":
        raise InputError(
            f"--loss {config.loss} needs an estimator: --estimator bm25, or --loss infonce"
        )
    if loss.target is None and estimator != "none":
        raise InputError(
            f"--loss {config.loss} uses no estimator, --estimator {estimator} was given"
        )
    given = [name for name in LOSS_SETTINGS if getattr(config, name) is not None]
    if unused := [name for name in given if name not in loss.settings]:
        raise InputError(f"--loss {config.loss} has no --{unused[0].replace('_', '-')}")
    if config.duplicates == "weight" and estimator == "none":
        raise InputError(
            f"--duplicates weight gives them the weight of an estimator, and --loss {config.loss} "
            "has none: --duplicates exclude, or --loss soft_infonce"
        )
    if config.symmetric and not loss.symmetric:
        both = [name for name, row in registry.LOSSES.items() if row.symmetric]
        raise InputError(f"--symmetric goes with --loss {' or '.join(both)}, not {config.loss}")


def _names(estimator: str) -> list[str]:
    """The estimators of a sum, in its order."""
    return [] if estimator == "none" else [term.name for term in parse(estimator)]


def _check_estimator(config: Config, estimator: str) -> None:
    """Raises where a flag belongs to an estimator that the sum has not, or a model is missing."""
    names = _names(estimator)
    models = {row.model: name for name, row in registry.ESTIMATORS.items() if row.model}
    unused = [flag for flag, of in models.items() if getattr(config, flag) and of not in names]
    if unused or (config.bm25_statistics == "corpus" and "bm25" not in names):
        flag = (unused or ["bm25_statistics"])[0].replace("_", "-")
        raise InputError(f"--{flag} is not used by --estimator {estimator}")
    for flag, of in models.items():
        required = registry.ESTIMATORS[of].default_model is None
        if of in names and required and getattr(config, flag) is None:
            raise InputError(f"--estimator {of} needs a model: --{flag} RUN, FOLDER or HUB_ID")


def _check_numbers(config: Config, loss: registry.Loss, train_pairs: int) -> None:
    """Raises InputError where numbers, each within its range, do not go together."""
    if (config.flow_length > 0) != (config.dataflow != "none"):
        raise InputError(
            f"--flow-length {config.flow_length} with --dataflow {config.dataflow}: data flow "
            "needs positions, and nothing else does"
        )
    if config.warmup_epochs >= config.epochs:
        raise InputError(
            f"--warmup-epochs {config.warmup_epochs} is not within --epochs {config.epochs}"
        )
    if train_pairs < 2:
        raise InputError(f"{train_pairs} training pairs: at least 2 are needed, one is no negative")
    if config.batch_size < 2:
        raise InputError("--batch-size 1 leaves no negatives: at least 2")
    if config.micro_batch is not None:
        _check_micro_batch(config)
    if config.batch_size > train_pairs:
        raise InputError(f"--batch-size {config.batch_size} but only {train_pairs} training pairs")
    negatives = config.batch_size * (1 + (config.negatives_per_query or 0)) - 1
    if loss.target == "w" and config.beta - config.alpha / negatives <= 0:
        raise InputError(
            f"beta - alpha/m is not positive: --beta {config.beta}, --alpha {config.alpha}, "
            f"m = {negatives} negatives; use a larger --batch-size or a smaller --alpha"
        )
    if "cancel_k" in loss.settings and config.cancel_k >= negatives:
        raise InputError(
            f"--cancel-k {config.cancel_k} of {negatives} negatives: give 0 to {negatives - 1}, or "
            "a larger --batch-size"
        )


def _check_micro_batch(config: Config) -> None:
    if config.batch_size % config.micro_batch:
        raise InputError(
            f"--micro-batch {config.micro_batch} does not divide --batch-size {config.batch_size}"
        )


def differences(old: dict, new: dict) -> list[str]:
    """The fields in which two stored configurations differ, as `name: old -> new`.

    Example:
      >>> differences({"seed": 1, "encoder": "~/e"}, {"seed": 2, "encoder": "~/e"})
      ['seed: 1 -> 2']
    """
    names = sorted({*old, *new} - {*NOT_COMPARED, *(name for name in ADDED if name not in old)})
    changed = [name for name in names if _compared(name, old) != _compared(name, new)]
    return [_difference(name, old, new) for name in changed]


def _difference(name: str, old: dict, new: dict) -> str:
    if name == "encoder_hash":
        encoder = new.get("encoder", new.get("model"))
        return f"{name}: {encoder} has other weights, settings or another tokenizer than then"
    return f"{name}: {old.get(name)!r} -> {new.get(name)!r}"


def _compared(name: str, config: dict) -> Any:
    """What is compared of a field: `~/x` is the folder that it means."""
    value = config.get(name)
    return f"{to_path(value)}" if name in PATHS and isinstance(value, str) else value
