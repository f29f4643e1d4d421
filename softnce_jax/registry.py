"""The registry of losses and estimators: each stands here once, as data.

A loss or an estimator is one row here and one function elsewhere; `--help`, defaults, the training
objective, tables and figures read the row. Functions are dotted names, imported when they are
needed, so `--help` needs no jax.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from softnce_jax.errors import InputError, first_line

__all__ = [
    "ESTIMATORS",
    "FUNCTION",
    "LOSSES",
    "TARGETS",
    "WEIGHTS",
    "Estimator",
    "Loss",
    "Target",
    "estimator",
    "find_function",
    "loss",
    "resolve",
    "source_of",
]

FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")  # package.module:function
# What training hands to every loss by keyword.
_KEYWORDS = ("positive", "where", "scale")


@dataclass(frozen=True)
class Loss:
    """A loss of `--loss`.

    Attributes:
      function: `module:function`, called as `function(q, c, target, *, positive, where, scale)`,
        or without `target` if it has none.
      title: its name in tables.
      target: what it reads beside the vectors, a key of TARGETS, or None.
      settings: flags that it or its target reads, and their defaults; None is the estimator's.
      arguments: the function's own arguments, each with the flag that sets it.
      shown: a setting that tables name beside the loss.
      symmetric: whether it takes `symmetric`, the flag --symmetric.
      blockwise: whether it has a form without (B, N) matrices.
      bounds_information: whether log N − L is a bound of the mutual information.
      table: number of the paper's table that compares it.
    """

    function: str
    title: str
    target: str | None = None
    settings: Mapping[str, float | int | None] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    shown: str | None = None
    symmetric: bool = False
    blockwise: bool = False
    bounds_information: bool = False
    table: int = 1


@dataclass(frozen=True)
class Target:
    """How a loss's target is computed from the estimator's similarity.

    Attributes:
      function: `module:function` of the similarity; None if the similarity itself is the target.
      settings: arguments of the function, each a flag of the same name.
    """

    function: str | None
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Estimator:
    """A term of `--estimator`.

    Attributes:
      title: its name in tables and figures.
      alpha, beta: defaults of Eq. 4.
      temperature: default of the softmax of its similarities; None if only the user knows their
        unit.
      function: `module:function` that makes a `Precomputed`, from a model's name if it has a model;
        None if the features are computed for each batch.
      model: the flag that names its model; None for no model.
      default_model: that flag's default; None if the user must name one.
    """

    title: str
    alpha: float
    beta: float
    temperature: float | None
    function: str | None = None
    model: str | None = None
    default_model: str | None = None


TARGETS = {
    "w": Target("softnce_jax.weights:negative_weights", ("alpha", "beta", "temperature", "floor")),
    "p": Target("softnce_jax.weights:negative_distribution", ("temperature",)),
    "similarity": Target(None),
}
# Settings of the weights of Eq. 4, as published; None is the estimator's.
WEIGHTS = {"alpha": None, "beta": None, "temperature": None, "floor": 0.1}

LOSSES = {
    "soft_infonce": Loss(
        "softnce_jax.losses:soft_infonce",
        "Soft-InfoNCE",
        target="w",
        settings=WEIGHTS,
        symmetric=True,
        blockwise=True,
        bounds_information=True,
    ),
    "infonce": Loss(
        "softnce_jax.losses:infonce",
        "InfoNCE",
        symmetric=True,
        blockwise=True,
        bounds_information=True,
    ),
    "weighted_infonce": Loss(
        "softnce_jax.losses:weighted_infonce",
        "weighted InfoNCE",
        target="p",
        settings={"temperature": None},
        table=2,
    ),
    "bce": Loss(
        "softnce_jax.losses:bce", "BCE", target="p", settings={"temperature": None}, table=2
    ),
    "kl_regularized": Loss(
        "softnce_jax.losses:kl_regularized",
        "KL regularisation",
        target="p",
        settings={"alpha": 0.7, "beta": 1.3, "temperature": None},
        arguments={"alpha": "alpha", "beta": "beta"},
        table=2,
    ),
    "cancel_top_k": Loss(
        "softnce_jax.losses:cancel_top_k",
        "cancellation, top k",
        target="similarity",
        settings={"cancel_k": 1},
        arguments={"k": "cancel_k"},
        shown="cancel_k",
        table=3,
    ),
    "cancel_threshold": Loss(
        "softnce_jax.losses:cancel_threshold",
        "cancellation, threshold",
        target="similarity",
        settings={"cancel_ratio": 0.5},
        arguments={"ratio": "cancel_ratio"},
        shown="cancel_ratio",
        table=3,
    ),
}

# alpha, beta and temperature are the paper's.
ESTIMATORS = {
    "bm25": Estimator("BM25", alpha=1.5, beta=0.5, temperature=1.0),
    "sentence": Estimator(
        "SimCSE",
        alpha=1.3,
        beta=0.7,
        temperature=0.1,
        function="softnce_jax.estimators.precomputed:sentence",
        model="sentence_model",
        default_model="sentence-transformers/msmarco-distilbert-dot-v5",
    ),
    "teacher": Estimator(
        "trained model",
        alpha=1.3,
        beta=0.7,
        temperature=5.0,
        function="softnce_jax.estimators.precomputed:teacher",
        model="teacher",
    ),
}


def loss(name: str) -> Loss:
    """The row of a loss: one of LOSSES, or made from a user's `package.module:function`.

    A user's function is called as ours are. The name of its third argument says what it reads, `w`,
    `p` or `similarity`; a function of q and c alone reads nothing more.

    Args:
      name: the value of `--loss`.

    Returns:
      Its row.

    Raises:
      InputError: no such loss, or a function that cannot be imported or called like this.

    Example:
      >>> loss("cancel_top_k").arguments
      {'k': 'cancel_k'}
    """
    if name in LOSSES:
        return LOSSES[name]
    if not FUNCTION.fullmatch(name):
        raise InputError(
            f"--loss {name}: no such loss; give {', '.join(LOSSES)}, or package.module:function"
        )
    target = _target_of(name)
    settings = TARGETS[target].settings if target else ()
    return Loss(name, name, target, {setting: WEIGHTS[setting] for setting in settings})


def _target_of(name: str) -> str | None:
    """The key of TARGETS that a user's loss function reads, by its signature."""
    function = find_function(name, "--loss")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # functions of C extensions
        raise InputError(f"--loss {name}: its arguments cannot be read") from None
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in signature.parameters.values() if p.kind in by_position]
    target = next((name for name in names[2:3] if name not in _KEYWORDS), None)
    if target not in (None, *TARGETS):
        raise InputError(
            f"--loss {name}: its third argument is {target!r}, which is none of "
            f"{', '.join(TARGETS)}, the targets that a loss may read"
        )
    given = ["q", "c", target] if target else ["q", "c"]
    try:
        signature.bind(*given, **dict.fromkeys(_KEYWORDS))
    except TypeError as error:
        called = f"({', '.join([*given, *(f'{keyword}=' for keyword in _KEYWORDS)])})"
        raise InputError(f"--loss {name}: cannot be called as {called}: {error}") from None
    return target


def estimator(name: str) -> Estimator:
    """The row of an estimator: one of ESTIMATORS, or made from `package.module:function`.

    Example:
      >>> estimator("my.module:function").temperature is None
      True
    """
    default = Estimator(name, alpha=1.3, beta=0.7, temperature=None)
    return ESTIMATORS.get(name, default)


def resolve(name: str) -> Callable[..., Any]:
    """The function of a dotted name, `module:function`, imported now.

    Example:
      >>> resolve(TARGETS["p"].function).__name__
      'negative_distribution'
    """
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def find_function(name: str, flag: str) -> Callable[..., Any]:
    """A user's function; its module is looked for in the current folder first.

    Args:
      name: `package.module:function`.
      flag: the flag that named it, for messages.

    Returns:
      The function.

    Raises:
      InputError: no such module or function, or the module fails, with its error's first line.
    """
    module_name, _, attribute = name.partition(":")
    sys.path.insert(0, "")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the user's module raises
        raise InputError(
            f"{flag} {name}: {module_name} cannot be imported "
            f"({type(error).__name__}: {first_line(error)})"
        ) from error
    finally:
        sys.path.remove("")
    function = getattr(module, attribute, None)
    if not callable(function):
        raise InputError(f"{flag} {name}: {module_name} has no function {attribute}")
    return function


def source_of(name: str, flag: str) -> str:
    """The source of a user's function, which identifies it: of its module and where it is from.

    The two differ where the module that was named imports the function.
    """
    function = find_function(name, flag)
    module_name, _, attribute = name.partition(":")
    modules = (sys.modules[module_name], inspect.getmodule(function) or sys.modules[module_name])
    try:
        sources = {inspect.getsource(module) for module in modules}
    except (OSError, TypeError):
        raise InputError(f"{flag} {name}: its source cannot be read; use a .py file") from None
    return "\0".join([attribute, *sorted(sources)])
